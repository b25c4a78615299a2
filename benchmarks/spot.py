"""Runs a sweep on workers that come and go every half a minute, as spot instances do.

    python benchmarks/spot.py [--trials 24] [--workers 3] [--life 30] [--losses 12] [--seed 0]

`cluster/local` starts a cluster on this machine. A sweep of simulated trials runs on its workers,
each of which lives for 30 s on average, by the seed from 20 to 40 s. Then it is killed without
warning, or gets SIGTERM and leaves in order, which is drawn as well, and another one joins. This
goes on until the sweep has ended, so many workers are lost, or ``--limit`` seconds have passed.

Afterwards there must be one finished run in MLflow for each planned trial, with its steps in order;
no trial that has failed; and the digest of the same sweep where nothing was disturbed. Beside that
these are measured, and must be below the bounds that options name:

repeated  for how long a trial that was on a lost worker had trained without a checkpoint, and how
          many steps that were, which had to be done once more. The store has the time of each step
          that was kept; whatever was done after the last one before the loss was in vain. Trials
          that had no checkpoint yet since they came to that worker are counted alone.
away      how long after the loss such a trial did its next step on another worker.
waited    how long a worker that has joined was without a trial that trains: from the time at which
          Ray's head took it up, by its own account, until the title of a process on it says that it
          trains. That contains the start of this process.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from disaster.fleet import Fleet
from disaster.losses import repeated
from disaster.parts import Topology, workplace
from disaster.sweep import spot_file, undisturbed
from disaster.verdict import wrong_runs

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store, open_store, read_record

_LOOK_EVERY_S = 0.2
_STUCK_S = 300.0


def disturb(
    options: argparse.Namespace, fleet: Fleet, driver: subprocess.Popen[bytes], store: Store
) -> None:
    """Let workers come and go until the driver has ended."""
    plan = make_plan(parse_spec(spot_file(options.trials, options.steps)))
    ids = [trial.trial_id for trial in plan.trials]
    begin = moved = looked = time.monotonic()
    ended = 0
    while driver.poll() is None:
        now = time.monotonic()
        in_bounds = len(fleet.losses) < options.losses and now - begin < options.limit
        fleet.look(may_leave=in_bounds)
        if now - looked > 10 * _LOOK_EVERY_S:
            looked, before, ended = now, ended, len(store.finished(ids))
            moved = now if ended > before else moved
        if now - moved > _STUCK_S:
            raise SystemExit(f"no trial has ended for {_STUCK_S:.0f} s, at {ended}")
        time.sleep(_LOOK_EVERY_S)


def step_times(text: str, store: Store) -> dict[str, list[float]]:
    """The times at which each trial did its steps, in seconds since 1970, from the store."""
    ids = [trial.trial_id for trial in make_plan(parse_spec(text)).trials]
    histories = {trial_id: read_record(store, trial_id).history for trial_id in ids}
    return {i: [ms / 1000 for ms in history.timestamps] for i, history in histories.items()}


def show(options: argparse.Namespace, fleet: Fleet, steps: dict[str, list[float]]) -> list[str]:
    """Print what losses have cost and how soon workers were used; what is beyond the bounds."""
    wrong = []
    costs = [one for loss in fleet.losses for one in repeated(loss, steps)]
    # A worker that has left without a trial has waited until then. One that is still there may have
    # come when there was nothing left to do.
    left = {loss.node: loss.when for loss in fleet.losses}
    used = {one: one.first or left.get(one.name) for one in fleet.joined}
    waits = [first - one.joined for one, first in used.items() if first is not None]
    for what, values, bound in (
        ("repeated", [cost.seconds for cost in costs if not cost.began], options.most_repeated),
        ("away", [cost.away for cost in costs], math.inf),
        ("waited", waits, options.most_waited),
    ):
        if not values:
            wrong.append(f"{what}: nothing was measured")
            continue
        shown = ", ".join(f"{value:.1f}" for value in values)
        middle, most = statistics.median(values), max(values)
        print(f"{what}: median {middle:.1f} s, at most {most:.1f} s ({shown})")
        if most > bound:
            wrong.append(f"{what} for {most:.1f} s, but at most {bound:g} s are right")
    # The first report of each trial is that of its beginning.
    again, done = sum(cost.steps for cost in costs), sum(len(times) - 1 for times in steps.values())
    print(f"steps done twice: {again}, of {done}")
    if began := [cost.seconds for cost in costs if cost.began]:
        print(f"lost before their first checkpoint there: {len(began)}, after {max(began):.1f} s")
    return wrong


def measure(options: argparse.Namespace, expected: str, folder: Path) -> list[str]:
    """Disturb one sweep on a new cluster, print what happened, and return what is wrong."""
    text = spot_file(options.trials, options.steps)
    file, summary = folder / "spot.yaml", folder / "summary.json"
    file.write_text(text)
    shape = ["--workers", str(options.workers), "--cpus-per-worker", "1"]
    with ExitStack() as stack:
        topology = stack.enter_context(Topology(folder / "cluster", *shape))
        topology.show_to_this_process()
        environment = topology.environment()
        store = open_store(environment["QHN_STORE"])
        log = stack.enter_context((folder / "driver.txt").open("wb"))
        command = [sys.executable, "-m", "qhn.cli", "sweep", "run", str(file), "--no-report"]
        address = ["--address", environment["QHN_RAY_ADDRESS"], "--summary", str(summary)]
        begin = time.monotonic()
        driver = subprocess.Popen(
            [*command, *address], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        stack.callback(driver.kill)
        rng = np.random.default_rng(options.seed)
        sweep = store.sweep(make_plan(parse_spec(text)).name)
        timeline = stack.enter_context((folder / "timeline.txt").open("w"))
        fleet = stack.enter_context(
            Fleet(topology, options.workers, options.life, sweep, rng, timeline)
        )
        disturb(options, fleet, driver, store)
        took = time.monotonic() - begin
        if not summary.exists():
            raise SystemExit(
                f"the driver ended with exit code {driver.returncode}:\n"
                f"{(folder / 'driver.txt').read_text()}"
            )
        wrong = wrong_runs(text)
        steps = step_times(text, store)
        (folder / "steps.json").write_text(json.dumps(steps, indent=1))
    hows = [loss.how for loss in fleet.losses]
    print(
        f"seed {options.seed}: {hows.count('killed')} workers killed, {hows.count('drained')} "
        f"drained, {len(fleet.joined)} joined, {took:.0f} s"
    )
    return (
        wrong + wrong_end(json.loads(summary.read_text()), expected) + show(options, fleet, steps)
    )


def wrong_end(summary: dict[str, Any], expected: str) -> list[str]:
    """What is wrong with how the sweep ended, in words."""
    wrong = []
    if summary["failed"] or summary["remaining"]:
        wrong.append(f"{summary['failed']} trials failed, {summary['remaining']} are left")
    if summary["results_digest"] != expected:
        wrong.append("other results than undisturbed")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--trials", type=int, default=24, help="a multiple of 4")
    add("--steps", type=int, default=50, help="of each trial")
    add("--workers", type=int, default=3, help="how many there are, with one CPU each")
    add("--life", type=float, default=30.0, help="of a worker on average, in seconds")
    add("--losses", type=int, default=12, help="of workers, at most")
    add("--limit", type=float, default=180.0, help="seconds after which no more workers leave")
    add("--seed", type=int, default=0)
    add("--most-repeated", type=float, default=5.0, help="seconds")
    add("--most-waited", type=float, default=30.0, help="seconds")
    add("--keep", type=Path, help="a folder for all files, which are kept then")
    options = parser.parse_args()
    with workplace(options.keep) as place:
        begin = time.monotonic()
        expected = undisturbed(spot_file(options.trials, options.steps), place)
        print(f"undisturbed: {expected}, {time.monotonic() - begin:.0f} s", flush=True)
        wrong = measure(options, expected, place)
    print("; ".join(wrong) or "right")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
