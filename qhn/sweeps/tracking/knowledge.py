"""Limits what MLflow shows of a trial to what its sweep has heard of, if it may stop trials early.

Another sweep may train the same trial at the same time, further than this sweep or to its end. This
sweep may still stop the trial at an earlier step. Reports after that step could not be removed from
MLflow again, so the writer shows a trial only as far as its own sweep has heard of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from qhn.sweeps.store import Store, TrialRecord, TrialResult, history_until, read_record
from qhn.sweeps.store.results import read_result


@dataclass(frozen=True)
class Known:
    """How far a sweep has heard of one of its trials.

    Attributes:
        heard: the last step that the driver has heard of, as long as it may still stop the trial.
            None if it cannot stop the trial any more; then everything in the store may be shown.
        stop: the result with which the sweep has stopped the trial; None if it has not.
    """

    heard: int | None = None
    stop: TrialResult | None = None

    def read(self, store: Store, trial_id: str) -> TrialRecord:
        """What the writer may show of the trial.

        Raises:
            StoreError: if the store cannot be read.
        """
        record = read_record(store, trial_id, stop=self.stop)
        if self.heard is None:
            return record
        return TrialRecord(history_until(record.history, self.heard), None, None)

    def to_json(self) -> list[Any]:
        """JSON values for a message to the writer's process."""
        return [self.heard, None if self.stop is None else self.stop.to_json()]

    @classmethod
    def from_json(cls, trial_id: str, values: list[Any]) -> Self:
        """Read what `to_json` made."""
        heard, text = values
        if text is None:
            return cls(heard)
        stop = read_result(text.encode(), trial_id, "a message of the driver")
        return cls(heard, stop if isinstance(stop, TrialResult) else None)


#: For a trial that the sweep has not stopped and cannot stop any more: everything may be shown.
BELIEVE_THE_STORE = Known()


class Knowledge:
    """How far a sweep has heard of each of its trials.

    Args:
        stops: the result of each trial that the sweep has stopped early, by trial id.
        heard: the last step that the driver has heard of, by trial id, for each trial that may
            still be stopped early. The driver keeps both up to date.
    """

    def __init__(self, stops: Mapping[str, TrialResult], heard: Mapping[str, int]) -> None:
        self._stops = stops
        self._heard = heard

    def of(self, trial_id: str) -> Known:
        """How far the sweep has heard of one trial."""
        return Known(self._heard.get(trial_id), self._stops.get(trial_id))

    def all(self) -> dict[str, Known]:
        """All trials of which not everything in the store may be shown, by trial id."""
        return {trial_id: self.of(trial_id) for trial_id in self._stops.keys() | self._heard.keys()}
