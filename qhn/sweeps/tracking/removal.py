"""Taking a sweep out of MLflow, so that its name is free for another one.

MLflow deletes softly: a deleted experiment keeps its name, and a new one cannot have it. So it is
renamed first, to a name that says what it was. Its rows stay in the database, hidden, until
somebody runs ``mlflow gc``; files that a local database has in its folder of artifacts go at once.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking.connection import connect
from qhn.sweeps.tracking.database import check_database
from qhn.sweeps.tracking.failures import tracking_errors
from qhn.sweeps.tracking.location import TrackingLocation

if TYPE_CHECKING:
    from mlflow.entities import Experiment
    from mlflow.tracking import MlflowClient


def remove_experiment(location: TrackingLocation, sweep: str) -> bool:
    """Delete a sweep's experiment, and free its name.

    A call that was killed is finished by the next one.

    Args:
        location: the tracking store.
        sweep: the sweep's name, which is its experiment's.

    Returns:
        Whether anything was there to delete.

    Raises:
        TrackingError: if the tracking store cannot be used, or the artifacts cannot be deleted.
    """
    if location.database is not None and not check_database(location):
        return False  # to make a database for it would leave more than there was
    client = connect(location)
    with tracking_errors(location):
        found = client.get_experiment_by_name(sweep)
        if found is not None:
            _rename(client, found, _former_name(found))
        # Also one that an earlier call has renamed, and then no more.
        renamed = list(_renamed(client, sweep))
        for experiment in renamed:
            if experiment.lifecycle_stage == "active":
                client.delete_experiment(experiment.experiment_id)
        for experiment in renamed:
            _remove_artifacts(location, sweep, experiment)
    return found is not None


def _former_name(experiment: Experiment) -> str:
    # The id makes it unlike that of any other deletion, and tells `_renamed` that it is ours.
    return f"{experiment.name} (deleted, {experiment.experiment_id})"


def _rename(client: MlflowClient, experiment: Experiment, name: str) -> None:
    if experiment.lifecycle_stage != "active":
        # Somebody has deleted it in the browser: it cannot be renamed as it is.
        client.restore_experiment(experiment.experiment_id)
    client.rename_experiment(experiment.experiment_id, name)


def _renamed(client: MlflowClient, sweep: str) -> list[Experiment]:
    """All experiments of this sweep that were renamed to be deleted."""
    from mlflow.entities import ViewType

    found: list[Experiment] = []
    token = None
    while True:
        page = client.search_experiments(
            view_type=ViewType.ALL,
            # A name has neither quotes nor the wildcard %; the rest is looked at below.
            filter_string=f"name LIKE '{sweep} (deleted, %'",
            page_token=token,
        )
        found += [e for e in page if e.name == f"{sweep} (deleted, {e.experiment_id})"]
        token = page.token
        if not token:
            return found


def _remove_artifacts(location: TrackingLocation, sweep: str, experiment: Experiment) -> None:
    """Delete the experiment's files if they lie where we have put them, and only then."""
    if location.artifacts is None:
        return
    folder = location.artifacts / sweep
    # Elsewhere, or behind a link, may be what is not ours alone.
    if experiment.artifact_location != folder.as_uri() or folder.is_symlink():
        return
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TrackingError(
            f"the artifacts of the sweep {sweep!r} must be deletable, but {folder} is not: "
            f"{error.strerror or error}; mend the permissions and delete the sweep again"
        ) from None
