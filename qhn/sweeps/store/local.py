"""What must lie on this machine's disk, wherever the store is: logs, scratch, MLflow's database."""

from __future__ import annotations

import time
from pathlib import Path

from qhn.core.errors import StoreError
from qhn.sweeps.store.folder import FolderBackend
from qhn.sweeps.store.store import Store


def local_folder(store: Store) -> Path:
    """The store's own folder if it is in one, else ``~/.qhn``; it need not be there yet."""
    return _backend(store).root


def run_folder(store: Store, sweep: str) -> Path:
    """Where runs of a sweep keep what is of no use elsewhere; it need not be there yet.

    Raises:
        NotFoundError: if it is not a sweep's name.
    """
    return local_folder(store) / "sweeps" / store.sweep(sweep).name


def make_folder(store: Store, folder: Path) -> Path:
    """Make a folder below `local_folder`, with the modes that the store's own have.

    Raises:
        StoreError: if it cannot be made.
    """
    try:
        _backend(store).make(folder)
    except OSError as error:
        raise StoreError(
            f"the store must be writable, but making {folder} failed: {error.strerror or error}; "
            "free space, mend the permissions or choose another folder with --store"
        ) from error
    return folder


def new_log(store: Store, sweep: str) -> Path:
    """Path for the log of a run that begins now; its folder is made.

    Raises:
        StoreError: if the folder cannot be made.
    """
    logs = make_folder(store, run_folder(store, sweep) / "logs")
    return logs / f"{time.strftime('%Y%m%d-%H%M%S')}.log"


def _backend(store: Store) -> FolderBackend:
    if isinstance(store.backend, FolderBackend):
        return store.backend
    return FolderBackend(Path.home() / ".qhn")
