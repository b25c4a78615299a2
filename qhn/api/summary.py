"""How a run of a sweep ended, as a Python program gets it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from qhn.sweeps.config.settings import settings
from qhn.sweeps.driver.run import RunOutcome
from qhn.sweeps.results.statistics import SHOWN, GroupSummary
from qhn.sweeps.results.table import flags_text, table_of

if TYPE_CHECKING:
    from pandas import DataFrame

_COUNTS = ("planned", "trials", "stopped", "failed")
_PARTS = ("mean", "deviation", "low", "high")


class SweepSummary:
    """What a run of a sweep did; ``trials = finished + finished_before + failed + remaining``.

    Attributes:
        name: of the sweep.
        trials: number of its trials.
        finished: trials that ended well in this run.
        finished_before: trials that had ended well before it.
        stopped: those of all these that early stopping ended.
        failed: trials that have failed, in this run or before, and were not mended.
        remaining: trials that are left.
        failures: message by trial id, of the trials that failed.
        groups: final metrics of each group over its seeds: mean, sample deviation (n − 1) and 95%
            interval (Student's t) in ``intervals``, by the metric's name.
        notes: what people should hear of: files that could not be used, for example.
        untracked: number of MLflow's runs whose newest state MLflow does not have; the store has
            it, and running again brings them up to date.
        results_digest: SHA-256 over all final numbers: the same for two runs if and only if all
            numbers are, bit for bit.
        wall_seconds: from the call to its end.
        training_seconds: spent training in this run, summed over its trials.
        slots: trials that ran at once.
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
        """One row per group: its label and settings, its counts, and its metrics over seeds.

        Of the metric ``nll``, for example, there are ``nll_mean``, ``nll_deviation`` (n − 1),
        ``nll_low`` and ``nll_high`` (the 95% interval of the mean by Student's t).
        """
        named = [settings(group.config) for group in self.groups]
        # Groups are what their trials share, and seeds are what they do not.
        between = sorted({name for found in named for name in found if name != "seed"})
        rows = [_cells(group) | found for group, found in zip(self.groups, named, strict=True)]
        metrics = [f"{name}_{part}" for name in SHOWN for part in _PARTS]
        return table_of(rows, ("group", "group_id", *between, *_COUNTS, "flags", *metrics))


def _cells(group: GroupSummary) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(group, name) for name in ("group", "group_id", *_COUNTS)}
    found["flags"] = flags_text(group.flags)
    for name, interval in group.intervals.items():
        for part in _PARTS:
            found[f"{name}_{part}"] = getattr(interval, part)
    return found
