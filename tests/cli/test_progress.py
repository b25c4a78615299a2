"""The sentences that say how far a sweep is."""

from __future__ import annotations

import pytest
from rich.text import Text

from qhn.cli.progress import run_in_words, standing
from qhn.sweeps.driver.summary import RunSummary


def summary(trials, finished=0, before=0, failed=0, stopped=0):
    return RunSummary(
        sweep="x",
        trials=trials,
        finished=finished,
        failed=failed,
        skipped=before,
        stopped=stopped,
        remaining=trials - finished - before - failed,
        interrupted=False,
        training_seconds=1.0,
        wall_seconds=25.0,
        slots=2,
        overhead_ms_per_trial=None,
        results_digest="",
        untracked=0,
    )


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"trials": 96, "finished": 96}, "All 96 trials finished in 0:25."),
        (
            {"trials": 360, "before": 360},
            "All 360 trials were finished before; nothing was left to run.",
        ),
        (
            {"trials": 360, "finished": 24, "before": 336},
            "24 of 360 trials finished now, in 0:25; 336 were finished before.",
        ),
        (
            {"trials": 5000, "finished": 4999, "before": 1},
            "4,999 of 5,000 trials finished now, in 0:25; 1 was finished before.",
        ),
        (
            {"trials": 96, "finished": 90, "failed": 2},
            "90 of 96 trials finished in 0:25. 2 have failed. 4 are left.",
        ),
        (
            {"trials": 96, "finished": 94, "failed": 1},
            "94 of 96 trials finished in 0:25. 1 has failed. 1 is left.",
        ),
        (
            {"trials": 96, "before": 90, "failed": 6},
            "None of 96 trials finished now, in 0:25; 90 were finished before. 6 have failed.",
        ),
        ({"trials": 4}, "None of the 4 trials finished; the run took 0:25. 4 are left."),
        ({"trials": 1, "finished": 1}, "The sweep's one trial finished in 0:25."),
        (
            {"trials": 1, "before": 1},
            "The sweep's one trial was finished before; nothing was left to run.",
        ),
        (
            {"trials": 1, "failed": 1},
            "The sweep's one trial did not finish; the run took 0:25. 1 has failed.",
        ),
        (
            {"trials": 96, "finished": 96, "stopped": 60},
            "All 96 trials finished in 0:25. 60 of the 96 that finished were stopped early.",
        ),
        (
            {"trials": 96, "finished": 48, "before": 48, "stopped": 1},
            "48 of 96 trials finished now, in 0:25; 48 were finished before. "
            "1 of the 96 that finished was stopped early.",
        ),
        (
            {"trials": 3, "finished": 3, "stopped": 3},
            "All 3 trials finished in 0:25. All of them were stopped early.",
        ),
        (
            {"trials": 1, "finished": 1, "stopped": 1},
            "The sweep's one trial finished in 0:25. It was stopped early.",
        ),
    ],
)
def test_what_a_run_came_to(numbers, words):
    assert Text.from_markup(run_in_words(summary(**numbers))).plain == words


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((96, 0, 0, 0), "none of the 96 trials is finished yet"),
        ((96, 96, 0, 0), "all 96 trials are finished"),
        ((5000, 5000, 0, 0), "all 5,000 trials are finished"),
        (
            (96, 12, 1, 2),
            "12 of 96 trials are finished, 1 has failed, 2 are running, 81 are left",
        ),
        ((96, 1, 0, 1), "1 of 96 trials is finished, 1 is running, 94 are left"),
        ((96, 94, 2, 0), "94 of 96 trials are finished, 2 have failed"),
        ((96, 0, 0, 2), "none of 96 trials is finished, 2 are running, 94 are left"),
        ((2, 1, 0, 0), "1 of 2 trials is finished, 1 is left"),
        ((1, 0, 0, 0), "its one trial is not finished yet"),
        ((1, 1, 0, 0), "its one trial is finished"),
        ((1, 0, 1, 0), "its one trial has failed"),
        ((1, 0, 0, 1), "its one trial is running"),
    ],
)
def test_where_a_sweep_stands(numbers, words):
    assert standing(*numbers) == words
