"""Deleting trials and sweeps from the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from qhn.sweeps.store.store import Store

_FEW = 24


def folders_of(store: Store, trial_ids: Iterable[str]) -> dict[str, list[str]]:
    """The folders of each trial of which the store has something, former ids among them."""
    there = set(store.trial_ids())
    found = {i: [owner for owner in store.ids(i) if owner in there] for i in trial_ids}
    return {trial_id: folders for trial_id, folders in found.items() if folders}


def bytes_of(store: Store, folders: Iterable[str]) -> int:
    """The bytes that these folders of the store take, see `Backend.size`."""
    return store.backend.size(*folders)


def have_samples(store: Store, folders: Collection[str]) -> bool:
    """Whether a folder of a trial has samples that were paid for."""
    # Of many folders, one listing is faster than one question for each.
    if len(folders) <= _FEW:
        return any(store.backend.list(f"{folder}/samples/") for folder in folders)
    wanted = set(folders)
    keys = (key.split("/") for key in store.backend.list())
    return any(len(parts) > 2 and parts[1] == "samples" and parts[0] in wanted for parts in keys)


def remove(store: Store, folders: Iterable[str]) -> None:
    """Delete folders of the store with all that is in them; nothing where they are gone.

    Raises:
        StoreError: if something cannot be deleted; calling again goes on.
    """
    store.backend.remove(*folders)


def remove_sweep(store: Store, name: str) -> None:
    """Delete what the store keeps about a sweep; the caller holds its locks.

    Its file goes last: as long as it is there the sweep is known, and can be deleted again.

    Raises:
        StoreError: if something cannot be deleted; calling again goes on.
    """
    folder = sweep_folder(store, name)
    for inside in store.backend.folders(folder):
        # A folder with nothing but a lock, which the caller may have made, goes at the end.
        if store.backend.list(f"{folder}/{inside}/"):
            store.backend.remove(f"{folder}/{inside}")
    for key in store.backend.list(f"{folder}/"):
        if not key.endswith("/sweep.yaml"):
            store.backend.delete(key)
    store.backend.remove(folder)


def sweep_folder(store: Store, name: str) -> str:
    """The folder of a sweep in its store.

    Raises:
        NotFoundError: if it is not a sweep's name.
    """
    return f"sweeps/{store.sweep(name).name}"
