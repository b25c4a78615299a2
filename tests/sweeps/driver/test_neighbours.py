"""What drivers on one machine know of each other, and what they leave and clear."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qhn.core.errors import RayError
from qhn.sweeps.driver import neighbours as module
from qhn.sweeps.driver.neighbours import clear_leftovers, placed, private_folder

SLEEP = "import signal; signal.pause()"
OTHER = (
    "import sys\n"
    "import qhn.sweeps.driver.neighbours as m\n"
    "m._LONGEST_FOLDER = 10_000\n"
    "with m.placed('night', 4, 3) as place:\n"
    "    place.ray_folder.mkdir()\n"
    "    (place.ray_folder / 'log').write_text('x')\n"
    "    print(place.ray_folder, flush=True)\n"
    "    sys.stdin.readline()\n"
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(module.tempfile, "tempdir", None)
    # Test folders have long names, which a Ray folder may not have.
    monkeypatch.setattr(module, "_LONGEST_FOLDER", 10_000)
    return tmp_path


def start():
    return subprocess.Popen(
        [sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_driver_is_seen_while_it_runs_and_leaves_nothing(own_folder):
    with start() as other:
        folder = other.stdout.readline().strip()
        with placed("day", 4) as place:
            (found,) = place.others
            assert (found.process, found.sweep, found.cores) == (other.pid, "night", 3)
            assert place.cores == 1
        with placed("evening", 3) as place:
            assert place.cores == 1  # one at least, also where none is left
        with placed("dawn", 4, 2) as place:
            assert place.cores == 2  # or those that were asked for
        assert clear_leftovers() == 0
        assert Path(folder).exists()
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.wait() == 0
    assert not (own_folder / f"qhn-{os.getuid()}").exists()


def test_what_a_killed_driver_left_is_cleared_by_the_next():
    with start() as other:
        folder = other.stdout.readline().strip()
        # As Ray's own processes are told their folder.
        agent = subprocess.Popen([sys.executable, "-c", SLEEP, f"--dir={folder}/session/logs"])
        stranger = subprocess.Popen([sys.executable, "-c", SLEEP, f"--dir={folder}-of-another"])
        other.kill()
        other.wait()
    assert Path(folder).exists()
    with placed("day", 4) as place:
        assert (place.others, place.cores) == ((), 4)
    assert clear_leftovers() == 1
    assert agent.wait(timeout=60) == -signal.SIGKILL
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert list(private_folder().iterdir()) == []


def test_a_live_process_with_a_dead_drivers_id_is_no_driver():
    note = private_folder() / f"{os.getppid()}.json"
    fields = {"sweep": "x", "cores": 1, "ray_folder": str(private_folder() / "ray-1")}
    note.write_text(json.dumps({"process": os.getppid(), **fields}))
    with placed("day", 2) as place:
        assert place.others == ()
    assert clear_leftovers() == 1


def test_a_note_can_make_nobody_touch_what_is_not_ours(tmp_path):
    precious = tmp_path / "ray-precious"
    precious.mkdir()
    innocent = subprocess.Popen([sys.executable, "-c", SLEEP, f"{precious}/x"])
    places = [precious, tmp_path, private_folder().parent / "x", "", "/"]
    for number, place in enumerate(places):
        content = {"process": 2**22 + 1, "sweep": "x", "cores": 1}
        note = private_folder() / f"{number}.json"
        note.write_text(json.dumps({**content, "ray_folder": str(place)}))
    (private_folder() / "odd.json").write_text("no note at all")
    assert clear_leftovers() == len(places)
    assert precious.exists()
    assert innocent.poll() is None
    innocent.kill()
    innocent.wait()


def test_the_folder_is_private():
    with placed("x", 1) as place:
        assert stat.S_IMODE(place.ray_folder.parent.stat().st_mode) == 0o700


def test_a_folder_that_is_not_ours_is_refused(own_folder):
    (own_folder / "elsewhere").mkdir()
    (own_folder / f"qhn-{os.getuid()}").symlink_to(own_folder / "elsewhere")
    with pytest.raises(RayError, match=r"another user has made it.* TMPDIR"):
        private_folder()
    (own_folder / f"qhn-{os.getuid()}").unlink()
    (own_folder / f"qhn-{os.getuid()}").write_text("no folder")
    with pytest.raises(RayError, match="must be usable, but it is not: File exists"):
        private_folder()
