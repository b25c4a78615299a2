"""Opens the runs of a sweep with the settings that make the writer's process fast."""

from __future__ import annotations

import gc
from collections.abc import Callable

from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.experiment import Experiment
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.runs import SweepRuns
from qhn.sweeps.tracking.sqlite_speed import write_without_waiting


def open_runs(
    location: TrackingLocation,
    plan: Plan,
    read: Callable[[PlannedTrial], TrialRecord],
    own: Callable[[Experiment], None] | None = None,
) -> SweepRuns:
    """Open the runs of a sweep as the writer's process does. The process must write nothing else.

    Args:
        location: the tracking store.
        plan: the plan of the sweep.
        read: returns what the store has of a trial.
        own: see `SweepRuns`. A database of our own, in the store, needs no owner but the store's
            lock, and this is not called for it.

    Raises:
        TrackingError: if the tracking store cannot be used.
    """
    if location.ours and location.database is not None:
        write_without_waiting(location.database)
    return SweepRuns(location, plan, read, None if location.ours else own)


def settle() -> None:
    """Exclude everything that exists now from garbage collection.

    MLflow imports very many objects that live as long as the process. To search them for garbage
    again and again takes a tenth of the time that writing a run takes.
    """
    gc.collect()
    gc.freeze()
