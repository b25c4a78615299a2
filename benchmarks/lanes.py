"""Measures lanes: simulated trials beside those of a QPU, sharing between sweeps, and coalescing.

    python benchmarks/lanes.py mixed [--simulated 100] [--queue 0 5] [--no-plain]
    python benchmarks/lanes.py sharing [--jobs 1000]
    python benchmarks/lanes.py coalescing [--trials 16]

Every figure comes from the record of a rehearsal QPU, which writes down each job, and from the
times in the results of trials.

A job takes 2 seconds divided by ``--speedup``. ``mixed`` runs two jobs for each of its trials on
the QPU: with 300 of them 20 minutes for each queue time, and as long again for plain Tune. With a
speedup of 4 it is a quarter of that, and the time until a place is filled again weighs four times
as much. The rows of its table are explained in `throttling.mixed`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from throttling import coalescing, mixed, sharing
from throttling.sharing import Load
from throttling.showing import show


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="a file for all figures")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("mixed", help="simulated trials and three times as many on a QPU")
    command.set_defaults(measure=measure_mixed)
    command.add_argument("--simulated", type=int, default=100)
    command.add_argument("--steps", type=int, default=1)
    command.add_argument("--trajectories", type=int, default=20_000)
    command.add_argument("--speedup", type=float, default=1.0)
    command.add_argument("--queue", type=float, nargs="+", default=[0.0, 5.0])
    command.add_argument("--no-plain", action="store_true", help="leave plain Tune out")
    command = commands.add_parser("sharing", help="two sweeps on one Ray and one QPU")
    command.set_defaults(measure=measure_sharing)
    command.add_argument("--jobs", type=int, default=20, help="of each of 20 trials, and alike")
    command.add_argument("--speedup", type=float, default=20.0)
    command = commands.add_parser("coalescing", help="one step in each job, and several")
    command.set_defaults(measure=measure_coalescing)
    command.add_argument("--trials", type=int, default=24)
    command.add_argument("--steps", type=int, default=9)
    command.add_argument("--speedup", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qhn-lanes-") as folder:
        found = options.measure(options, Path(folder))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def measure_mixed(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Measure at each queue time."""
    sizes = mixed.Sizes(options.simulated, options.steps, options.trajectories, options.speedup)
    turns = []
    for queue_s in options.queue:
        found = mixed.measure(sizes, queue_s, folder / f"{queue_s:g}", plain=not options.no_plain)
        turns.append(found)
        alone = " and ".join(f"{seconds:.0f}" for seconds in found["simulated_alone_s"])
        title = f"queue time {queue_s:g} s, {found['jobs_in_flight']} jobs in flight; the simulated"
        columns = {name: found[name] for name in ("leases", "plain Tune") if name in found}
        show(f"{title} trials alone take {alone} s", columns)
    return turns


def measure_sharing(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure equal sweeps, different ones, and a late one, on one Ray after the other."""
    n, speedup = options.jobs, options.speedup
    cases = {
        "equal": [Load(20, n), Load(20, n)],
        "100 trials against 10, jobs 1:5": [Load(100, -(-n // 4)), Load(10, -(-n // 2), 10.0)],
    }
    found: dict[str, Any] = {}
    with sharing.shared_ray(folder / "ray") as address:
        for name, loads in cases.items():
            place = folder / str(len(found))
            found[name] = sharing.together(loads, speedup, place, address)
        found["late"] = sharing.late(Load(40, n), Load(4, n), speedup, folder / "late", address)
    show("Two sweeps on one QPU with 2 jobs in flight", found)
    return found


def measure_coalescing(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure once."""
    found = coalescing.measure(options.trials, options.steps, options.speedup, folder)
    runs = {name: figures for name, figures in found.items() if isinstance(figures, dict)}
    both = {name: figure for name, figure in found.items() if name not in runs}
    show("The same sweep with one step in each job, and with several", {**runs, "both": both})
    return found


if __name__ == "__main__":
    main()
