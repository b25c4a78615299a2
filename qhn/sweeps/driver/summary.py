"""The summary of one run of a sweep: counts, times and the digest of its results."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from qhn.sweeps.driver.lane_summary import LaneSummary


@dataclass(frozen=True)
class RunSummary:
    """What one run of a sweep did; ``trials = finished + failed + skipped + remaining``.

    Attributes:
        sweep: the name of the sweep.
        trials: the number of planned trials.
        finished: how many trials finished in this run, those that were stopped early included.
        failed: how many trials have failed, in this run or before, and have no result since.
        skipped: how many trials had finished before this run.
        stopped: how many of the finished and skipped trials were stopped early.
        remaining: how many trials have neither a result nor an error.
        interrupted: whether the run was stopped before its end.
        training_seconds: time spent training in this run, summed over its trials.
        wall_seconds: time from the start of the command to its end.
        ray_start_seconds: the part of the wall time in which Ray started, or in which the driver
            connected to one and looked at its machines; 0 if no trial was left.
        slots: how many simulated trials ran at once.
        overhead_ms_per_trial: milliseconds beyond training for each trial of this run, which are
            ``(wall − training / slots) / finished · 1000``; None if no trial finished, or if trials
            waited for a queue.
        results_digest: a digest of all final numbers of the plan's trials; see
            `qhn.sweeps.store.results_digest`.
        untracked: how many MLflow runs do not have the newest state of their trials.
        lanes: what the run did in the lane of each queued device, see `LaneSummary`.
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
    lanes: tuple[LaneSummary, ...] = ()

    def to_json(self) -> str:
        """The summary as JSON text, which is the content of the summary file."""
        return json.dumps(asdict(self), indent=1)
