"""The summary of a run, as `Sweep.run` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from qhn.sweeps.driver.lane_summary import LaneSummary
from qhn.sweeps.driver.run import RunOutcome
from qhn.sweeps.results.statistics import SHOWN, GroupSummary, parts_of
from qhn.sweeps.results.table import flags_text, table_of

if TYPE_CHECKING:
    from pandas import DataFrame

_COUNTS = ("planned", "trials", "stopped", "failed")


class SweepSummary:
    """How a run of a sweep ended.

    Always ``trials = finished + finished_before + failed + remaining``.

    Attributes:
        name: the name of the sweep.
        trials: the number of planned trials.
        finished: how many trials finished in this run, those that were stopped early included.
        finished_before: how many trials had finished before this run.
        stopped: how many of all finished trials were stopped early.
        failed: how many trials have failed, in this run or before, and have no result since.
        remaining: how many trials have neither a result nor an error.
        failures: the messages of the trials that failed, by trial id.
        groups: the final metrics of each group over its seeds. The ``intervals`` of a group have
            the mean, the sample deviation (with n − 1) and the 95% interval (Student's t) of each
            metric by its name.
        notes: lines for people, for example about files that could not be used.
        untracked: how many MLflow runs do not have the newest state of their trials. The store has
            it, and running the sweep again brings MLflow up to date.
        results_digest: SHA-256 over all final numbers. It is equal for two runs if and only if all
            their numbers are equal, bit for bit.
        wall_seconds: seconds from the call to its end.
        training_seconds: seconds of training in this run, summed over its trials.
        slots: how many simulated trials ran at once.
        lanes: what the run did in the lane of each queued device: jobs, waits, idle share, cost;
            see `qhn.sweeps.driver.lane_summary.LaneSummary`.
    """

    def __init__(self, outcome: RunOutcome) -> None:
        account = outcome.summary
        self.name: str = account.sweep
        self.trials: int = account.trials
        self.finished: int = account.finished
        self.finished_before: int = account.skipped
        self.stopped: int = account.stopped
        self.failed: int = account.failed
        self.remaining: int = account.remaining
        self.failures: Mapping[str, str] = {t.trial_id: text for t, text in outcome.failures}
        self.groups: tuple[GroupSummary, ...] = tuple(outcome.groups)
        self.notes: tuple[str, ...] = tuple(outcome.notes)
        self.untracked: int = account.untracked
        self.results_digest: str = account.results_digest
        self.wall_seconds: float = account.wall_seconds
        self.training_seconds: float = account.training_seconds
        self.slots: int = account.slots
        self.lanes: tuple[LaneSummary, ...] = account.lanes

    def __repr__(self) -> str:
        over = self.finished + self.finished_before
        words = [f"{over} of {self.trials} trials finished"]
        if self.finished_before:
            words.append(f"{self.finished_before} of them before this run")
        others = ((self.failed, "failed"), (self.remaining, "left"))
        words += [f"{number} {word}" for number, word in others if number]
        seconds = timedelta(seconds=round(self.wall_seconds))
        return f"<SweepSummary {self.name!r}: {', '.join(words)}, in {seconds}>"

    def to_frame(self) -> DataFrame:
        """A pandas table with one row for each group that has a result.

        The columns are ``group``, ``group_id``, the settings under the names of their MLflow
        parameters, the counts ``planned``, ``trials`` (with a result), ``stopped`` and ``failed``,
        ``flags`` (each with its number of trials), and four for each metric. Those of ``nll``, for
        example, are ``nll_mean``, ``nll_deviation`` (with n − 1), ``nll_low`` and ``nll_high`` (the
        95% interval of the mean by Student's t).

        A sweep with data seeds also has the column ``tasks``. Its mean is that of the means of the
        tasks, with its interval over tasks. The deviation is that over the seeds of a task, and
        there is a fifth column, ``nll_between``, with the deviation of the tasks' means.
        """
        named = [group.settings for group in self.groups]
        between = sorted({name for found in named for name in found})
        rows = [_cells(group) | found for group, found in zip(self.groups, named, strict=True)]
        over_tasks = any(group.tasks is not None for group in self.groups)
        metrics = [f"{name}_{part}" for name in SHOWN for part in parts_of(over_tasks)]
        counts = ("tasks", *_COUNTS) if over_tasks else _COUNTS
        return table_of(rows, ("group", "group_id", *between, *counts, "flags", *metrics))


def _cells(group: GroupSummary) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(group, name) for name in ("group", "group_id", *_COUNTS)}
    found["flags"] = flags_text(group.flags)
    found["tasks"] = group.tasks
    for name, interval in group.intervals.items():
        for part in parts_of(group.tasks is not None):
            found[f"{name}_{part}"] = getattr(interval, part)
    return found
