"""Finds the sweeps that a local MLflow database has, and the addresses of their pages."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.core.errors import NotFoundError
from qhn.sweeps.tracking.connection import connect_to_read
from qhn.sweeps.tracking.failures import database_errors
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.names import KIND_TAG
from qhn.sweeps.tracking.pages import has_leaderboard, leaderboard_address, runs_address

_MOST_SWEEPS = 1000


@dataclass(frozen=True)
class TrackedSweep:
    """A sweep in MLflow.

    Attributes:
        name: the name of the sweep.
        address: the part of the address after the server's, which opens the leaderboard of the
            sweep. If it has no leaderboard yet, the address opens the list of its runs.
        charts: the same for the charts of the leaderboard. None if the sweep has no leaderboard,
            because it was written by an earlier version of qhn and not run since.
    """

    name: str
    address: str
    charts: str | None


def find_sweeps(location: TrackingLocation, name: str | None = None) -> list[TrackedSweep]:
    """The sweeps in a local database, the one that was written last first.

    Args:
        location: the database, which must exist.
        name: the name of the only sweep that is wanted; None for all.

    Raises:
        NotFoundError: if there is no sweep of this name.
        TrackingError: if the database cannot be read.
    """
    with database_errors(location):
        client = connect_to_read(location)
        experiments = {found.experiment_id: found for found in client.search_experiments()}
        runs = client.search_runs(
            [*experiments], f"tags.`{KIND_TAG}` = 'sweep'", max_results=_MOST_SWEEPS
        )
    # A run that has not ended is being written now, so it comes first.
    runs.sort(key=lambda run: run.info.end_time or float("inf"), reverse=True)
    found: dict[str, TrackedSweep] = {}
    for run in runs:
        experiment = experiments[run.info.experiment_id]
        if has_leaderboard(experiment.tags):
            table, charts = (
                leaderboard_address(experiment.experiment_id, charts) for charts in (False, True)
            )
        else:
            table, charts = runs_address(experiment.experiment_id), None
        found.setdefault(experiment.name, TrackedSweep(experiment.name, table, charts))
    if name is None:
        return list(found.values())
    if name not in found:
        raise NotFoundError(
            f"the sweep must be one of those in {location.shown} "
            f"({', '.join(sorted(found)) or 'there is none yet'}), but got {name!r}"
        )
    return [found[name]]
