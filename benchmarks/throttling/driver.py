"""Runs one sweep as ``qhn sweep run`` does: ``python -m throttling.driver FILE STORE ACCOUNT``.

With ``--queued-first`` all trials of queued devices come before all others, in whatever order the
file has them. With ``--address`` the sweep runs on a Ray that is there already. ACCOUNT is the JSON
file to which the times are written.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.launch import prepare, run, taken
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.store import open_store


@contextmanager
def unseen(board: Board, terminal: TextIO) -> Iterator[None]:
    """A view that shows nothing."""
    yield


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("account", type=Path)
    parser.add_argument("--queued-first", action="store_true")
    parser.add_argument("--address")
    options = parser.parse_args()
    store = open_store(str(options.store))
    launch = prepare(options.file.read_bytes(), options.file.name, store, address=options.address)
    if options.queued_first:
        ordered = sorted(launch.plan.trials, key=lambda trial: trial.lane is None)
        launch = replace(launch, plan=replace(launch.plan, trials=tuple(ordered)))
    # All cores are taken, although other sweeps may run on this machine.
    with taken(launch, available_cpus()) as share:
        began = time.time()
        outcome = run(launch, share, unseen)
    trials = {trial.trial_id: trial.lane or "simulator" for trial in launch.plan.trials}
    summary = asdict(outcome.summary)
    # Ray starts before any trial, and takes as long with one lane as with two.
    account = {**summary, "began": began + summary["ray_start_seconds"], "lane_of": trials}
    options.account.write_text(json.dumps(account))
    if summary["finished"] != len(trials):
        raise SystemExit(f"not all trials have finished: {outcome.failures[:1]}")


if __name__ == "__main__":
    main()
