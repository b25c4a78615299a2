"""``qhn sweep list`` and ``status``."""

from __future__ import annotations

import json
import os
from datetime import datetime

from made_results import TEXT, keep

from qhn.sweeps.store.disk_use import disk_use

SWEEP = "{name: planned, datasets: [moons], objectives: [mle, {name: elbo, lambda: 1}], seeds: 3}"
STATES = ("planned", "finished", "failed", "running")


def listed(qhn):
    return {row["name"]: row for row in json.loads(qhn("sweep", "list", "--json"))}


def on_disk(*folders):
    """What ``du`` would say, in bytes."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_blocks * 512 for path in files)


def test_a_store_without_sweeps(qhn):
    assert "no sweeps in" in qhn("sweep", "list")
    assert json.loads(qhn("sweep", "list", "--json")) == []


def test_counts(qhn):
    keep(qhn.store)
    counts = {"planned": 12, "finished": 10, "failed": 1, "running": 0}
    assert qhn.status("made") == counts
    assert {state: listed(qhn)["made"][state] for state in STATES} == counts
    assert "made: 10 of 12 trials are finished, 1 has failed, 1 is left." in qhn(
        "sweep", "status", "made"
    )
    row = next(line for line in qhn("sweep", "list").splitlines() if "made" in line)
    assert row.split()[:5] == ["made", "12", "10", "1", "0"]


def test_what_a_sweep_takes_on_disk(qhn):
    keep(qhn.store)
    trials = [path for path in qhn.root.iterdir() if path.is_dir() and path.name != "sweeps"]
    assert len(trials) == 11
    (trials[0] / "deeper").mkdir()
    (trials[0] / "deeper" / "file").write_bytes(b"x" * 100_000)
    artifacts = qhn.root / "artifacts" / "made"
    artifacts.mkdir(parents=True)
    (artifacts / "summary.csv").write_bytes(b"x" * 100_000)
    found = listed(qhn)["made"]["bytes"]
    assert found == on_disk(qhn.root / "sweeps" / "made", artifacts, *trials)
    assert found > 200_000
    assert disk_use(qhn.root / "nothing") == 0
    # What a link leads to would stay if the sweep were deleted.
    artifacts.rename(qhn.folder / "elsewhere")
    artifacts.symlink_to(qhn.folder / "elsewhere")
    assert listed(qhn)["made"]["bytes"] == found - on_disk(qhn.folder / "elsewhere")


def test_trials_of_several_sweeps_count_in_each_and_it_says_so(qhn):
    keep(qhn.store)
    alone = listed(qhn)["made"]["bytes"]
    assert "of several sweeps" not in qhn("sweep", "list")
    half = TEXT.replace("name: made", "name: half").replace("[moons, ring]", "[moons]")
    qhn.store.sweep("half").save_file(half)
    found = listed(qhn)
    assert found["made"]["bytes"] == alone
    assert found["half"]["finished"] == 6
    assert found["half"]["bytes"] > alone / 3
    assert "6 trials of several sweeps count on disk in each of them." in qhn("sweep", "list")


def test_when_a_sweep_last_ran_is_when_its_newest_log_was_written(qhn):
    qhn.store.sweep("planned").save_file(SWEEP)
    assert listed(qhn)["planned"]["last_run"] is None
    logs = qhn.root / "sweeps" / "planned" / "logs"
    logs.mkdir()
    for name, written in (("20260101-000000", 1_900_000_000), ("20260102-000000", 1_800_000_000)):
        (logs / f"{name}.log").write_text("")
        os.utime(logs / f"{name}.log", (written, written))
    told = datetime.fromisoformat(listed(qhn)["planned"]["last_run"])
    assert told.timestamp() == 1_800_000_000
    assert f"{told:%Y-%m-%d %H:%M}" in qhn("sweep", "list")


def test_one_unreadable_sweep_does_not_hide_the_others(qhn):
    qhn.store.sweep("good").save_file(SWEEP)
    qhn.store.sweep("bad").save_file("name: [")
    output = qhn("sweep", "list")
    assert "good" in output
    assert "not valid YAML" in output
    found = listed(qhn)
    assert set(found["bad"]) == {"name", "error", "bytes", "last_run"}
    assert set(found["good"]) == {"name", *STATES, "bytes", "last_run"}


def test_a_broken_file_is_shown_with_every_mistake(qhn):
    # More than the thirty that other commands show, on lines longer than the terminal.
    seeds = ", ".join(["a-word-that-is-much-longer-than-a-seed-could-ever-be"] * 45)
    qhn.store.sweep("bad").save_file(SWEEP.replace("seeds: 3", f"seeds: [{seeds}]"))
    output, found = qhn("sweep", "list"), listed(qhn)["bad"]["error"]
    for text in (output, found):
        assert "has 45 mistakes:" in text
        for number in range(45):
            assert f"line 1: seeds[{number}]: must be a whole number, but got 'a-word" in text
        assert "more" not in text
