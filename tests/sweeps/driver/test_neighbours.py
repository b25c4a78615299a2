"""What drivers on one machine know of each other, and what they leave and clear."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from qhn.core.errors import RayError
from qhn.sweeps.driver import neighbours as module
from qhn.sweeps.driver.neighbours import clear_leftovers, neighbours, noted, private_folder

SLEEP = "import signal; signal.pause()"
OTHER = (
    "import sys\n"
    "from qhn.sweeps.driver.neighbours import noted\n"
    "with noted('night', 3) as folder:\n"
    "    folder.mkdir()\n"
    "    (folder / 'log').write_text('x')\n"
    "    print(folder, flush=True)\n"
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
    code = "import qhn.sweeps.driver.neighbours as m; m._LONGEST_FOLDER = 10_000\n" + OTHER
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_driver_is_seen_while_it_runs_and_leaves_nothing(own_folder):
    with start() as other:
        folder = other.stdout.readline().strip()
        (found,) = neighbours()
        assert (found.process, found.sweep, found.slots) == (other.pid, "night", 3)
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
    assert neighbours() == []
    assert clear_leftovers() == 1
    assert agent.wait(timeout=60) == -signal.SIGKILL
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert list(private_folder().iterdir()) == []


def test_a_process_that_got_a_dead_drivers_id_is_no_driver():
    note = private_folder() / "1.json"
    me = psutil.Process()
    fields = {"sweep": "x", "slots": 1, "ray_folder": str(private_folder() / "ray-1")}
    note.write_text(json.dumps({"process": me.ppid(), "born": 12.0, **fields}))
    assert neighbours() == []
    assert clear_leftovers() == 1


def test_a_note_can_make_nobody_delete_what_is_not_ours(tmp_path):
    precious = tmp_path / "ray-precious"
    precious.mkdir()
    for number, place in enumerate([precious, tmp_path, private_folder().parent / "x"]):
        content = {"process": 2**22 + 1, "born": 0.0, "sweep": "x", "slots": 1}
        note = private_folder() / f"{number}.json"
        note.write_text(json.dumps({**content, "ray_folder": str(place)}))
    (private_folder() / "odd.json").write_text("no note at all")
    assert clear_leftovers() == 3
    assert precious.exists()
    assert tmp_path.exists()


def test_the_folder_is_private():
    with noted("x", 1) as folder:
        mode = stat.S_IMODE(folder.parent.stat().st_mode)
        assert mode == 0o700
        assert neighbours() == []  # not of itself


def test_a_folder_that_is_not_ours_is_refused(own_folder):
    (own_folder / "elsewhere").mkdir()
    (own_folder / f"qhn-{os.getuid()}").symlink_to(own_folder / "elsewhere")
    with pytest.raises(RayError, match=r"another user has made it.* TMPDIR"):
        private_folder()
    (own_folder / f"qhn-{os.getuid()}").unlink()
    (own_folder / f"qhn-{os.getuid()}").write_text("no folder")
    with pytest.raises(RayError, match="must be usable, but it is not: File exists"):
        private_folder()
