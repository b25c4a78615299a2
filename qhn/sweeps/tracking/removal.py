"""Deletes a sweep from MLflow, so that another sweep can have its name.

MLflow only hides what is deleted: a deleted experiment keeps its name, and no other one can have
it. So the experiment is renamed first, to a name that says what it was. Its rows stay hidden in the
database until somebody runs ``mlflow gc``. The artifacts of a local database are deleted at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from typing import TYPE_CHECKING

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking.connection import connect
from qhn.sweeps.tracking.database import check_database
from qhn.sweeps.tracking.failures import tracking_errors
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.owning import check_unowned

if TYPE_CHECKING:
    from mlflow.entities import Experiment
    from mlflow.tracking import MlflowClient


def remove_experiment(
    location: TrackingLocation, sweep: str, own_tokens: Collection[str] = ()
) -> bool:
    """Delete the experiment of a sweep, and free its name.

    If this is killed, the next call completes the deletion.

    Args:
        location: the tracking store.
        sweep: the name of the sweep, which is also the name of its experiment.
        own_tokens: the tokens of the caller's store (`SweepStore.claim_tokens`). The caller must
            hold the lock of that store's writer.

    Returns:
        Whether there was an experiment with this name.

    Raises:
        OwnerError: if another store writes the sweep to MLflow.
        TrackingError: if the tracking store cannot be used, or the artifacts cannot be deleted.
    """
    if location.database is not None and not check_database(location):
        return False  # connecting would make a database where there is none
    client = connect(location)
    with tracking_errors(location):
        found = client.get_experiment_by_name(sweep)
        if found is not None:
            check_unowned(found.tags, location, sweep, own_tokens)
            _rename(client, found, _former_name(found))
        # These include experiments that an earlier call has renamed before it was killed.
        renamed = list(_renamed(client, sweep))
        for experiment in renamed:
            if experiment.lifecycle_stage == "active":
                client.delete_experiment(experiment.experiment_id)
        for experiment in renamed:
            _remove_artifacts(location, sweep, experiment)
    return found is not None


def _former_name(experiment: Experiment) -> str:
    # The id makes the name different from those of other deleted sweeps of this name, and shows
    # `_renamed` that qhn has renamed the experiment.
    return f"{experiment.name} (deleted, {experiment.experiment_id})"


def _rename(client: MlflowClient, experiment: Experiment, name: str) -> None:
    if experiment.lifecycle_stage != "active":
        # Somebody has deleted it in the browser. A deleted experiment cannot be renamed.
        client.restore_experiment(experiment.experiment_id)
    client.rename_experiment(experiment.experiment_id, name)


def _renamed(client: MlflowClient, sweep: str) -> list[Experiment]:
    """All experiments with this sweep's name that were renamed in order to be deleted."""
    from mlflow.entities import ViewType

    found: list[Experiment] = []
    token = None
    while True:
        page = client.search_experiments(
            view_type=ViewType.ALL,
            # The name of a sweep contains no quotes and no %. It may contain _, which LIKE takes
            # for any character, so the names are compared once more below.
            filter_string=f"name LIKE '{sweep} (deleted, %'",
            page_token=token,
        )
        found += [e for e in page if e.name == f"{sweep} (deleted, {e.experiment_id})"]
        token = page.token
        if not token:
            return found


def _remove_artifacts(location: TrackingLocation, sweep: str, experiment: Experiment) -> None:
    """Delete the experiment's artifacts, but only if they are in the folder that qhn has made."""
    if location.artifacts is None:
        return
    folder = location.artifacts / sweep
    # Another folder, or one behind a link, may contain files that are not ours.
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
