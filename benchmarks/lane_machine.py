"""How fast the lane's machine is, and how fairly it shares, over 100,000 jobs in simulated time.

    python benchmarks/lane_machine.py [--jobs 100000]

Two sweeps share one processor with two jobs in flight and 240 submissions a minute: 100 trials with
jobs of 0.4 seconds against 10 trials with jobs of 2 seconds. Printed are the events for each second
of processor time, the simulation's own work included, the highest counts of jobs in flight and of
submissions in a minute, and the QPU seconds of both sweeps while both had work.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

# The simulation belongs to the tests, which run it over fewer jobs.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "lanes"))

from simulation import Sweep, World

from qhn.lanes.limits import Limits


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the lane's machine.")
    parser.add_argument("--jobs", type=int, default=100_000)
    jobs = parser.parse_args().jobs
    # The same QPU seconds for both, so that both have work to the end.
    short = Sweep("short", 100, -(-jobs * 5 // 600), execution_s=0.4)
    long = Sweep("long", 10, -(-jobs // 60), execution_s=2.0)
    begin = time.process_time()
    lane = Limits(jobs_in_flight=2, submissions_per_minute=240, term_s=3600.0)
    world = World(lane, seed=1).run(short, long)
    seconds = time.process_time() - begin
    end = min(world.ended_at.values())
    had = {"short": 0.0, "long": 0.0}
    for at, sweep, used in world.history:
        if at <= end:
            had[sweep] += used
    print(f"{world.jobs} jobs, {world.events} events, {seconds:.1f} s of processor time")
    print(f"{world.events / seconds:.0f} events a second")
    print(f"at most {world.most_in_flight} in flight, {world.most_in_a_window} in 60 seconds")
    print(f"QPU seconds while both had work: {had['short']:.0f} and {had['long']:.0f}")


if __name__ == "__main__":
    main()
