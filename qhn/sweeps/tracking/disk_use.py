"""What a sweep takes on disk: its folders in the store, and its artifacts in a local MLflow."""

from __future__ import annotations

from collections.abc import Iterable

from qhn.sweeps.store import Store
from qhn.sweeps.store.disk_use import disk_use
from qhn.sweeps.store.removal import bytes_of, sweep_folder
from qhn.sweeps.tracking.location import TrackingLocation


def sweep_bytes(
    store: Store, name: str, folders: Iterable[str], location: TrackingLocation | None
) -> int:
    """The bytes that a sweep takes on disk, in whole blocks as ``du`` counts them.

    MLflow's database is one file for all sweeps, and does not shrink when one of them is deleted:
    it counts for none.

    Args:
        store: the store.
        name: the name of the sweep.
        folders: the folders of trials in the store that are to be counted.
        location: where the sweep is tracked; None to leave artifacts out.

    Raises:
        NotFoundError: if it is not a sweep's name.
        StoreError: if the store cannot be read.
    """
    found = bytes_of(store, (sweep_folder(store, name), *folders))
    if location is not None and location.artifacts is not None:
        artifacts = location.artifacts / name
        # What a link leads to is not deleted with the sweep.
        found += 0 if artifacts.is_symlink() else disk_use(artifacts)
    return found
