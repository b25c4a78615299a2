"""The account of one run of a sweep."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class RunSummary:
    """What one run of a sweep did; ``trials = finished + failed + skipped + remaining``.

    Attributes:
        sweep: its name.
        trials: number of trials of the plan.
        finished: trials that ended well in this run.
        failed: trials that have failed, now or in an earlier run, and were not mended.
        skipped: trials that were over before this run.
        stopped: trials among those finished and skipped that early stopping ended.
        remaining: trials that an interruption left over.
        interrupted: whether the run was stopped before its end.
        training_seconds: time spent training in this run, summed over its trials.
        wall_seconds: time from the command's start to its end.
        ray_start_seconds: time until Ray was there, part of the wall time; 0 if nothing was left
            to run.
        slots: trials that ran at once.
        overhead_ms_per_trial: wall time beyond training, divided evenly over the slots, per trial
            of this run: ``(wall − training / slots) / trials run · 1000``; None if none ran.
        results_digest: over all final numbers of the plan by trial id; see `results_digest`.
        untracked: runs whose newest state MLflow does not have.
    """

    sweep: str
    trials: int
    finished: int
    failed: int
    skipped: int
    stopped: int
    remaining: int
    interrupted: bool
    training_seconds: float
    wall_seconds: float
    slots: int
    overhead_ms_per_trial: float | None
    results_digest: str
    untracked: int
    ray_start_seconds: float = 0.0

    def to_json(self) -> str:
        """The summary file's text."""
        return json.dumps(asdict(self), indent=1)
