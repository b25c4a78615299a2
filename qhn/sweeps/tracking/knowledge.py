"""How far a sweep knows its trials, where it may stop them early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from qhn.sweeps.store import Store, TrialRecord, TrialResult, history_until, read_record
from qhn.sweeps.store.results import read_result


@dataclass(frozen=True)
class Known:
    """How far a sweep knows one of its trials.

    Another sweep may train the same trial, further than this one or to its end, while this one may
    still stop it early. Rows beyond the stop could not be taken back from MLflow, so that the
    writer shows a trial as far as its sweep knows of it, and no further.

    Attributes:
        heard: the last step that the driver has heard of, while it may still stop the trial; None
            where the store may be believed.
        stop: the result at which the sweep has stopped the trial, if it has.
    """

    heard: int | None = None
    stop: TrialResult | None = None

    def read(self, store: Store, trial_id: str) -> TrialRecord:
        """What the writer shows of the trial.

        Raises:
            StoreError: if the store cannot be read.
        """
        record = read_record(store, trial_id, stop=self.stop)
        if self.heard is None:
            return record
        return TrialRecord(history_until(record.history, self.heard), None, None)

    def to_json(self) -> list[Any]:
        """As JSON values, for the writer's process."""
        return [self.heard, None if self.stop is None else self.stop.to_json()]

    @classmethod
    def from_json(cls, trial_id: str, values: list[Any]) -> Self:
        """Read what `to_json` made."""
        heard, text = values
        if text is None:
            return cls(heard)
        stop = read_result(text.encode(), trial_id, "a message of the driver")
        return cls(heard, stop if isinstance(stop, TrialResult) else None)


#: Of a trial that the sweep may not stop any more, and has not stopped.
BELIEVE_THE_STORE = Known()


class Knowledge:
    """How far a sweep knows each of its trials: the driver's account, which it keeps up to date.

    Args:
        stops: the result of each trial that the sweep has stopped early.
        heard: of each trial that may still be stopped early, the last step heard of.
    """

    def __init__(self, stops: Mapping[str, TrialResult], heard: Mapping[str, int]) -> None:
        self._stops = stops
        self._heard = heard

    def of(self, trial_id: str) -> Known:
        """How far one trial is known."""
        return Known(self._heard.get(trial_id), self._stops.get(trial_id))

    def all(self) -> dict[str, Known]:
        """Every trial of which there is more to say than that the store may be believed."""
        return {trial_id: self.of(trial_id) for trial_id in self._stops.keys() | self._heard.keys()}
