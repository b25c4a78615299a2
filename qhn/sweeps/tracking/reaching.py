"""Looks whether a tracking store can be reached and written, before a sweep needs it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking.connection import connect
from qhn.sweeps.tracking.database import check_database
from qhn.sweeps.tracking.failures import tracking_errors
from qhn.sweeps.tracking.location import TrackingLocation

#: The tag of an experiment that says when it was last looked at.
CHECKED_TAG = "qhn.checked"


def reach(location: TrackingLocation, name: str | None) -> str:
    """Look at a tracking store as the writer of a sweep will use it. Nothing is made in it.

    Whether the sweep's experiment may be written is found out by writing `CHECKED_TAG`.

    Args:
        location: the tracking store.
        name: the name of the sweep, hence of its experiment; None to look at the store alone.

    Returns:
        How it is, in words that follow its address.

    Raises:
        TrackingError: if a server does not answer or refuses, if a database cannot be used, or if
            the experiment was deleted or may not be written.
    """
    if location.database is not None and not check_database(location):
        _check_folder(location.database)
        return "the first run will make it"
    client = connect(location)
    if name is None:
        return "it answers"
    with tracking_errors(location):
        found = client.get_experiment_by_name(name)
        if found is None:
            return f"it answers; the first run will make the experiment {name!r}"
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {name!r} was deleted; restore it with "
                f"`mlflow experiments restore -x {found.experiment_id}`, or rename the sweep"
            )
        checked = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        client.set_experiment_tag(found.experiment_id, CHECKED_TAG, checked)
        return f"it answers, and the experiment {name!r} may be written"


def _check_folder(database: Path) -> None:
    """Check that a database that is missing can be made."""
    folder = database.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TrackingError(
            f"the MLflow database must be in a folder that can be written, but {database} is to be "
            f"made in {folder}, which cannot; mend the permissions, or name another with "
            "--tracking-uri"
        )
