"""Stops of a trial, for whoever asks about the trial and not about one sweep."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from qhn.core.errors import DamagedError, InvalidValueError
from qhn.sweeps.store.results import TrialResult, read_result
from qhn.sweeps.store.store import Store


def furthest_stop(store: Store, trial_id: str) -> TrialResult | None:
    """Where a sweep of the store stopped the trial early; the furthest, where several did.

    Raises:
        StoreError: if the store cannot be read.
    """
    stops = [stop for sweep in store.sweeps() for stop in sweep.stops_of(trial_id)]
    stops += _former_stops(store, trial_id)
    return max(stops, key=lambda stop: stop.steps, default=None)


def _former_stops(store: Store, trial_id: str) -> list[TrialResult]:
    """What older versions have kept: a stop was the trial's own result, under a former id."""
    stops = []
    for owner in store.ids(trial_id)[1:]:
        key = f"{owner}/result.json"
        content = store.backend.get_many([key]).get(key)
        # What cannot be read is set aside by whoever trains the trial next.
        with suppress(DamagedError, InvalidValueError):
            if isinstance(content, bytes):
                end = read_result(content, owner, key)
                if isinstance(end, TrialResult) and end.status == "stopped":
                    stops.append(replace(end, trial_id=trial_id))
    return stops
