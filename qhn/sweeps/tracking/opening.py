"""A sweep's runs, opened in a process that does nothing but write them."""

from __future__ import annotations

import gc
from collections.abc import Callable

from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.runs import SweepRuns
from qhn.sweeps.tracking.sqlite_speed import write_without_waiting


def open_runs(
    location: TrackingLocation, plan: Plan, read: Callable[[PlannedTrial], TrialRecord]
) -> SweepRuns:
    """Open a sweep's runs as the writer does, in a process that writes nothing else.

    Args:
        location: the tracking store.
        plan: of the sweep.
        read: what the sweep knows of a trial.

    Raises:
        TrackingError: if the tracking store cannot be used.
    """
    if location.ours and location.database is not None:
        write_without_waiting(location.database)
    return SweepRuns(location, plan, read)


def settle() -> None:
    """Let Python look no more for garbage in what MLflow has imported, which lives to the end.

    To look through it again and again takes a tenth of the time of a run.
    """
    gc.collect()
    gc.freeze()
