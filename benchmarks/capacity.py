"""Measures how many slots one driver keeps busy, and what a trial costs in a large sweep.

    python benchmarks/capacity.py slots [--slots 1000] [--seconds 1 10 100] [--window 60]
    python benchmarks/capacity.py trials [--trials 1000 10000] [--address A] [--store S] [...]

**slots**: a real driver with slots whose trials only sleep, since no machine at hand has a thousand
cores. Tune's loop, emission, scheduler, callback, store and the writer of MLflow are those of a
sweep, and so are Ray's placement groups, calls and results. But the slots are objects in two
processes, which sleep before each answer, as long as the driver has told them, and which store and
answer what a trained trial of 250 steps would. Those two processes and MLflow's writer take cores
as well, so on a small machine the driver is not alone on its core. For each length of a trial,
after all slots have started or after two minutes, these are measured over the window:

busy      the share of the time in which slots were at work; times the slots, it is how many slots
          the driver keeps busy
answers   how many pieces of work began in a second: each took one turn of Tune's loop
ends      how many trials ended in a second
loop      the processor time of the thread of Tune's loop, as a share of one core, and for each
          answer: what it would take with a core of its own
unwritten trials with something new that MLflow did not have yet, at the end of the window (and how
          many more than at its beginning)
memory    of the driver and of the writer (PSS)

**trials**: whole sweeps of 20-step trials, one after the other: the cost of a trial in wall time
(without the start of Ray) and in processor time, to which other work on the machine adds nothing;
and the highest memory of driver and writer (PSS). The options say where, as those of
``qhn sweep run`` do. These are the commands for a cluster on this machine, with its S3 server, its
MLflow server and PostgreSQL. There, processor time is that of driver and writer alone::

    cluster/local up
    eval "$(cluster/local env)"
    python benchmarks/capacity.py trials --trials 1000 10000 --address "$QHN_RAY_ADDRESS" \\
        --store "$QHN_STORE" --tracking-uri "$MLFLOW_TRACKING_URI"
    cluster/local down
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from orchestration.measuring import Measured, run_part

SWEEP = """
name: capacity-{seeds}
# Other data for each size, so that no trial is in two sweeps.
datasets: [{{name: moons, seed: {data_seed}}}]
objectives: [mle]
seeds: {seeds}
training: {{steps: 20}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("slots", help="how many slots a driver keeps busy")
    command.set_defaults(measure=measure_slots)
    command.add_argument("--slots", type=int, nargs="+", default=[1000])
    command.add_argument("--seconds", type=float, nargs="+", default=[1.0, 10.0, 100.0])
    command.add_argument("--window", type=float, default=60.0, help="seconds of each measurement")
    command.add_argument("--fastest", type=float, default=100.0, help="trials a second, at most")
    command.add_argument("--answer-seconds", type=float, help="how often each trial answers")
    command = commands.add_parser("trials", help="what a trial costs in a large sweep")
    command.set_defaults(measure=measure_trials)
    command.add_argument("--trials", type=int, nargs="+", default=[1000, 10_000])
    command.add_argument("--address")
    command.add_argument("--store", help="an empty one; by default a folder that is removed")
    command.add_argument("--tracking-uri")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
        options.measure(options, Path(folder))


def measure_slots(options: argparse.Namespace, folder: Path) -> None:
    """Measure each length of a trial, with each number of slots."""
    for slots in options.slots:
        for seconds in options.seconds:
            place = folder / f"{slots}-{seconds:g}"
            place.mkdir()
            account = place / "account.json"
            command = [sys.executable, "-m", "standin.driver", str(place), str(account)]
            command += ["--slots", str(slots), "--seconds", str(seconds)]
            command += ["--window", str(options.window), "--fastest", str(options.fastest)]
            if options.answer_seconds is not None:
                command += ["--answer-seconds", str(options.answer_seconds)]
            subprocess.run(command, check=True, cwd=Path(__file__).parent)
            found = json.loads(account.read_text())
            each = 1000 * found["loop"] / found["answers_per_second"]
            print(
                f"{slots} slots, trials of {seconds:g} s: busy {found['busy']:.1%} "
                f"({found['busy'] * slots:.0f} slots), {found['answers_per_second']:.0f} answers "
                f"and {found['ends_per_second']:.1f} ends a second, loop {found['loop']:.0%} of a "
                f"core ({each:.2f} ms for each answer), unwritten {found['unwritten']} "
                f"({found['unwritten'] - found['unwritten_before']:+d}), driver "
                f"{found['driver_mb']:.0f} MB, writer {found['writer_mb']:.0f} MB; "
                f"{found['slots_started']} slots started within {found['start_seconds']:.0f} s, "
                f"load {found['load']:.1f}",
                flush=True,
            )


def measure_trials(options: argparse.Namespace, folder: Path) -> None:
    """Measure each number of trials, and compare the last with the first."""
    flags = []
    for name in ("address", "store", "tracking_uri"):
        if (value := getattr(options, name)) is not None:
            flags += [f"--{name.replace('_', '-')}", value]
    costs: list[tuple[float, float]] = []
    for number, trials in enumerate(options.trials):
        place = folder / str(trials)
        place.mkdir()
        file = place / "capacity.yaml"
        file.write_text(SWEEP.format(seeds=trials, data_seed=number))
        found = run_part("sweep", file, place, tuple(flags))
        wall, processor = (1000 * seconds / trials for seconds in (found.wall, found.processor))
        costs.append((wall, processor))
        print(f"{trials} trials: {wall:.1f} ms each, and {processor:.1f} ms of processor time")
        print(f"  {memory_of(found)}", flush=True)
        print(f"  {found}, load {os.getloadavg()[0]:.1f}", flush=True)
    if len(costs) > 1:
        wall, processor = (last / first for first, last in zip(costs[0], costs[-1], strict=True))
        print(
            f"a trial of {options.trials[-1]} costs {wall:.2f} times one of {options.trials[0]}, "
            f"and {processor:.2f} times the processor time"
        )


def memory_of(found: Measured) -> str:
    """The memory of driver and writer, each for itself."""
    return ", ".join(f"{role} {megabytes:.0f} MB" for role, megabytes in found.peaks_mb.items())


if __name__ == "__main__":
    main()
