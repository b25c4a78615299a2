"""Counts how often reports find evidence where there is none, and how often where there is.

    python benchmarks/evidence.py [--repetitions 1000]

Results of two groups are drawn at random: each task has a level of its own, and each trial noise
around it. The groups are identical, alone or in a table of ten comparisons with Holm's correction,
or they are 1e-9 apart, or differ by a planted effect. It takes about a minute of one core.
"""

from __future__ import annotations

import argparse
import gc
import math

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.reports.compare import compare_deviations, compare_means, corrected
from qhn.reports.comparison import Subject
from qhn.reports.pairs import Scores
from qhn.reports.power import power, tasks_needed

_SUBJECT = Subject("drawn", "test_accuracy_expected", "group", "baseline")
_KINDS = {"means": compare_means, "deviations": compare_deviations}


def scores(values: FloatArray) -> Scores:
    return {f"task {t}": dict(enumerate(row.tolist())) for t, row in enumerate(values)}


def drawn(rng: np.random.Generator, tasks: int, seeds: int) -> FloatArray:
    return rng.normal(0.85, 0.05, (tasks, 1)) + rng.normal(0.0, 0.03, (tasks, seeds))


def identical(repetitions: int) -> None:
    for tasks in (6, 8, 13, 20, 60):
        for seeds in (2, 5, 10):
            for name, compare in _KINDS.items():
                rng = np.random.default_rng([2026, tasks, seeds])
                found = sum(
                    compare(
                        _SUBJECT, scores(drawn(rng, tasks, seeds)), scores(drawn(rng, tasks, seeds))
                    ).verdict
                    != "no evidence"
                    for _ in range(repetitions)
                )
                print(f"identical, {tasks} tasks, {seeds} seeds, {name}: {found}", flush=True)


def in_steps(repetitions: int) -> None:
    for tasks in (8, 20):
        rng, found = np.random.default_rng([7, tasks]), 0
        for _ in range(repetitions):
            group, base = (np.round(drawn(rng, tasks, 5) * 40) / 40 for _ in range(2))
            found += compare_means(_SUBJECT, scores(group), scores(base)).verdict != "no evidence"
        print(f"identical, in steps of 1/40, {tasks} tasks: {found}", flush=True)


def table(repetitions: int) -> None:
    rng, found = np.random.default_rng(99), 0
    for _ in range(repetitions):
        base = scores(drawn(rng, 12, 4))
        groups = [scores(drawn(rng, 12, 4)) for _ in range(5)]
        tests = [compare(_SUBJECT, one, base) for one in groups for compare in _KINDS.values()]
        found += any(one.verdict != "no evidence" for one in corrected(tests))
    print(f"identical, any of a table of ten: {found}", flush=True)


def nearly_identical(repetitions: int) -> None:
    for name, compare in _KINDS.items():
        rng, found = np.random.default_rng(1), 0
        for _ in range(repetitions):
            base = drawn(rng, 20, 10)
            near = base + 1e-9 * rng.normal(1.0, 1.0, base.shape)
            found += compare(_SUBJECT, scores(near), scores(base)).verdict != "no evidence"
        print(f"1e-9 apart, {name}: {found}", flush=True)


def planted(repetitions: int) -> None:
    for d in (0.4, 0.6, 0.8, 1.2):
        tasks = tasks_needed(d)
        assert tasks is not None
        rng, found = np.random.default_rng([5, int(d * 10)]), 0
        for _ in range(repetitions):
            level = rng.normal(0.85, 0.05, (tasks, 1))
            # The differences of the means of four seeds have a deviation of 0.02.
            noise = rng.normal(0.0, 0.02 * math.sqrt(2), (2, tasks, 4))
            group, base = level + noise[0] + d * 0.02, level + noise[1]
            found += compare_means(_SUBJECT, scores(group), scores(base)).verdict == "higher"
        print(
            f"effect of {d} deviations, {tasks} tasks: {found}, stated {power(d, tasks):.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    # Statsmodels collects garbage in each correction, which takes forty milliseconds.
    gc.collect = lambda *arguments: 0  # type: ignore[assignment]
    print(f"of {repetitions} repetitions each:")
    for measure in (identical, in_steps, table, nearly_identical, planted):
        measure(repetitions)


if __name__ == "__main__":
    main()
