"""Keeps files with the run of a sweep in MLflow, after the sweep was written there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from qhn.core.errors import NotFoundError
from qhn.sweeps.tracking.connection import connect
from qhn.sweeps.tracking.failures import tracking_errors
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.names import KIND_TAG


def upload(location: TrackingLocation, name: str, files: Mapping[str, bytes]) -> None:
    """Write files as artifacts of a sweep's own run. Files that it has already are replaced.

    Args:
        location: the tracking store.
        name: the name of the sweep.
        files: contents by path, such as ``report/report.html``.

    Raises:
        NotFoundError: if MLflow has no run of the sweep.
        TrackingError: if the tracking store cannot be used.
    """
    client = connect(location)
    with tracking_errors(location):
        experiment = client.get_experiment_by_name(name)
        found = (
            []
            if experiment is None
            else client.search_runs(
                [experiment.experiment_id], f"tags.`{KIND_TAG}` = 'sweep'", max_results=1
            )
        )
        if not found:
            raise NotFoundError(
                f"files are kept with the run of a sweep, but {location.shown} has none of "
                f"{name!r}; run the sweep with this tracking store"
            )
        with TemporaryDirectory() as folder:
            for path, content in files.items():
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            client.log_artifacts(found[0].info.run_id, folder)
