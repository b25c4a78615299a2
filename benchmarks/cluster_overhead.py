"""Compares what a trial costs beyond its training on a cluster and in a local run.

    python benchmarks/cluster_overhead.py [--trials 1000] [--steps 20] [--workers 4] [--turns 3]

Each turn measures these runs of the same sweep one after the other, with the same number of slots:

local     `qhn sweep run`, which starts a Ray of its own
files     the same, attached to a Ray with a head and so many workers on this machine, each of which
          has one slot. Store and tracking are as in the local run: a folder, and SQLite in it
services  the same, with the store in an S3 server, and an MLflow server with PostgreSQL

`cluster/local` starts the cluster in each turn after the local run, so that its idle processes take
nothing from that, and ends it after the other two. The overhead is that of
`benchmarks/overhead.py`: the wall time of the sweep without the start of Ray, without the time that
its trials take alone on all cores, for each trial. What an attached run takes to connect to Ray and
to look at its machines counts as its start. Processor seconds are those of driver, writer and all
of Ray's nodes, without the servers of store and tracking. The exit code is 1 if the overhead of
``files`` is more than 1.2 times that of ``local``, in the median of the turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

from disaster.parts import Topology, workplace
from orchestration.measuring import Measured, run_part
from overhead import SWEEP, Turn

from qhn.sweeps.driver.local_ray import available_cpus

ATTACHED = ("files", "services")
_MOST = 1.2


def take_turn(file: Path, workers: int, folder: Path) -> dict[str, Turn]:
    """Measure the trials alone and each of the runs once, with empty stores."""
    slots = ("--cpus", str(workers))
    cores = min(workers, available_cpus())

    def turn(name: str, sweep: Measured) -> Turn:
        print(f"  {name:9s}{sweep}, load {os.getloadavg()[0]:.1f}", flush=True)
        return Turn({"sweep": sweep, "alone": alone}, cores)

    alone = run_part("alone", file, _made(folder / "alone"))
    print(f"  alone    {alone}", flush=True)
    turns = {"local": turn("local", run_part("sweep", file, _made(folder / "local"), slots))}
    shape = ("--workers", str(workers), "--cpus-per-worker", "1")
    with Topology(folder / "cluster", *shape) as topology:
        client = topology.environment()
        address = ("--address", client["QHN_RAY_ADDRESS"])
        nodes = [topology.first_process(f"worker-{number + 1}") for number in range(workers)]
        beside = [topology.first_process("head"), *nodes]
        for name in ATTACHED:
            told, flags = client, (*slots, *address)
            if name == "services":
                flags += ("--store", client["QHN_STORE"])
            else:
                told = {n: v for n, v in client.items() if not n.startswith("MLFLOW_")}
            place = _made(folder / name)
            sweep = run_part("sweep", file, place, flags, environment=told, beside=beside)
            turns[name] = turn(name, sweep)
    return turns


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=1000, help="an even number")
    parser.add_argument("--steps", type=int, default=20, help="of each trial")
    parser.add_argument("--workers", type=int, default=4, help="nodes of the cluster, and slots")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    turns = []
    for number in range(options.turns):
        print(f"turn {number + 1} of {options.turns}", flush=True)
        with workplace() as folder:
            file = folder / "overhead.yaml"
            file.write_text(SWEEP.format(seeds=options.trials // 2, steps=options.steps))
            turns.append(take_turn(file, options.workers, folder))
    print(f"medians of {len(turns)} turns, {options.trials} trials, {options.workers} slots:")
    for name in ("local", *ATTACHED):
        values = [turn[name].overhead_ms for turn in turns]
        print(f"{name + ', overhead, ms per trial':35s}{_median(values)}")
    ratios = {
        name: [turn[name].overhead_ms / turn["local"].overhead_ms for turn in turns]
        for name in ATTACHED
    }
    for name, values in ratios.items():
        print(f"{name + ' / local':35s}{_median(values)}")
    sys.exit(statistics.median(ratios["files"]) > _MOST)


def _median(values: list[float]) -> str:
    shown = ", ".join(f"{value:.2f}" for value in values)
    return f"{statistics.median(values):.2f}  ({shown})"


if __name__ == "__main__":
    main()
