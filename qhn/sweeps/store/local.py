"""Folders on the disk of this machine, wherever the store is: for logs and MLflow's database."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from pathlib import Path

from qhn.core.errors import StoreError
from qhn.sweeps.store.folder import FolderBackend
from qhn.sweeps.store.object_store import ObjectBackend
from qhn.sweeps.store.opening import DEFAULT_STORE
from qhn.sweeps.store.store import Store

_LONGEST_NAME = 60


def default_folder() -> Path:
    """Where everything lies that no option and no environment puts elsewhere."""
    return Path(DEFAULT_STORE).expanduser()


def local_folder(store: Store) -> Path:
    """The store's folder if the store is in a folder, else one in ``~/.qhn``. It may not exist yet.

    Each store of objects has one of its own, since two of them may have sweeps of the same name.
    """
    root = _backend(store).root
    if not is_elsewhere(store):
        return root
    name = re.sub(r"[^A-Za-z0-9.]+", "-", store.uri)[:_LONGEST_NAME]
    return root / "stores" / f"{name}-{hashlib.sha256(store.uri.encode()).hexdigest()[:8]}"


def is_elsewhere(store: Store) -> bool:
    """Whether the store is on another machine, and has no folder here."""
    return isinstance(store.backend, ObjectBackend)


def run_folder(store: Store, sweep: str) -> Path:
    """The folder for files of a sweep that only this machine needs. It may not exist yet.

    Raises:
        NotFoundError: if the text cannot be the name of a sweep.
    """
    return local_folder(store) / "sweeps" / store.sweep(sweep).name


def make_folder(store: Store, folder: Path) -> Path:
    """Make a folder in `local_folder`, with the same permissions as the folders of the store.

    Raises:
        StoreError: if it cannot be made.
    """
    try:
        _backend(store).make(folder)
    except OSError as error:
        what, other = "the store", "choose another folder with --store"
        if is_elsewhere(store):
            what, other = "the folder for logs", "set HOME to another folder"
        raise StoreError(
            f"{what} must be writable, but making {folder} failed: {error.strerror or error}; "
            f"free space, mend the permissions or {other}"
        ) from error
    return folder


def new_log(store: Store, sweep: str) -> Path:
    """The path for the log of a run that begins now. Its folder is made.

    Raises:
        StoreError: if the folder cannot be made.
    """
    logs = make_folder(store, run_folder(store, sweep) / "logs")
    return logs / f"{time.strftime('%Y%m%d-%H%M%S')}.log"


def leave_a_deleted_folder(folder: Path) -> None:
    """Change to a folder that exists if the working directory was deleted.

    Ray and MLflow both ask for the working directory, and a package that MLflow imports looks into
    every place of Python's search path, where the empty entry stands for the working directory.
    Nothing is lost by leaving it, because relative paths lead nowhere any more.

    Args:
        folder: where to go.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        sys.path[:] = [place for place in sys.path if place]
        os.chdir(folder)


def _backend(store: Store) -> FolderBackend:
    if isinstance(store.backend, FolderBackend):
        return store.backend
    return FolderBackend(default_folder())
