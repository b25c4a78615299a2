"""Deletes a sweep and the trials that no other sweep plans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qhn.core.errors import QhnError, StoreError
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.store import Store, SweepStore
from qhn.sweeps.store.ownership import ownership
from qhn.sweeps.store.removal import folders_of, remove, remove_sweep
from qhn.sweeps.tracking import TrackingLocation
from qhn.sweeps.tracking.removal import remove_experiment

# A writer whose driver was killed ends within ten seconds (see `qhn.sweeps.tracking.process`).
_WRITER_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Belongings:
    """What a sweep has in its store. Only trials that have a folder in the store are counted.

    Attributes:
        name: the name of the sweep.
        is_readable: whether its file can be read. If not, its trials are not known, and
            ``folders`` is empty.
        folders: the folders of the trials that only this sweep plans. They are deleted with it.
        trials: the number of these trials.
        shared: the number of its trials that are not deleted.
        others: the names of the sweeps that plan some of its trials too.
        unreadable: the names of other sweeps whose files cannot be read. If there are any, no
            trial is deleted, because each of them may belong to one of those sweeps.
    """

    name: str
    is_readable: bool
    folders: tuple[str, ...]
    trials: int
    shared: int
    others: tuple[str, ...]
    unreadable: tuple[str, ...]


def belongings(store: Store, name: str) -> Belongings:
    """Find out what a sweep has in its store, without changing anything.

    Raises:
        NotFoundError: if the store has no such sweep.
        StoreError: if the store cannot be read, or the sweep is running.
    """
    _check(store.sweep(name))
    return _belongings(store, name)


def _check(kept: SweepStore) -> None:
    if not kept.exists():
        kept.read_file()  # raises an error that suggests a similar name
    if (holder := kept.lock.holder()) is not None:
        raise StoreError(
            f"a sweep must not run while it is deleted, but {holder} is running {kept.name!r}; "
            "stop it there, or wait for it"
        )


def _belongings(store: Store, name: str) -> Belongings:
    kept = store.sweep(name)
    planned = _planned(kept)
    there = folders_of(store, planned or ())
    elsewhere: set[str] = set()
    others, unreadable = [], []
    for other in store.sweeps():
        if other.name == name:
            continue
        theirs = _planned(other)
        if theirs is None:
            unreadable.append(other.name)
        elif common := there.keys() & theirs:
            others.append(other.name)
            elsewhere |= common
    own = {} if unreadable else {i: there[i] for i in there if i not in elsewhere}
    folders = tuple(folder for found in own.values() for folder in found)
    return Belongings(
        name=name,
        is_readable=planned is not None,
        folders=folders,
        trials=len(own),
        shared=len(there) - len(own),
        others=tuple(others),
        unreadable=tuple(unreadable),
    )


def _planned(kept: SweepStore) -> dict[str, None] | None:
    """The ids of the trials that a sweep plans, in order; None if its file cannot be read."""
    try:
        plan = stored_plan(kept)
    except QhnError:
        return None
    return dict.fromkeys(trial.trial_id for trial in plan.trials)


def delete_sweep(store: Store, name: str, location: TrackingLocation) -> Belongings:
    """Delete a sweep from MLflow and from the store, with the trials that only this sweep plans.

    If this is killed, calling it again deletes the rest. Only the sweep's file says which trials
    belong to it, so the file is deleted last.

    Returns:
        What belonged to the sweep, and how many of its trials were not deleted.

    Raises:
        NotFoundError: if the store has no such sweep.
        StoreError: if something cannot be deleted, or the sweep is running, or the writer of a
            driver that was killed still writes it to MLflow.
        TrackingError: if MLflow cannot be used, or another store writes the sweep to it. In this
            case nothing was deleted from the store.
    """
    kept = store.sweep(name)
    _check(kept)
    with kept.lock, _without_writer(kept):
        # MLflow comes first, because a server may not answer: then the store is still complete and
        # the deletion can be repeated.
        remove_experiment(location, name, kept.claim_tokens())
        # That takes seconds, and the user may have been asked before. Meanwhile other sweeps may
        # have been started that plan the same trials. While the lock is held here, none can start.
        with ownership(store.backend):
            found = _belongings(store, name)
            remove(store, found.folders)
            # This belongs to the same moment. If two sweeps that share trials are deleted at once,
            # the second deletion must not find the first sweep's file, and leave the trials to it.
            remove_sweep(store, name)
    return found


@contextmanager
def _without_writer(kept: SweepStore) -> Iterator[None]:
    """Wait until no process writes the sweep to MLflow, and keep others from it.

    A writer outlives a driver that was killed, for seconds. Its last words would bring artifacts
    back that were deleted.
    """
    lock = kept.tracking_lock
    if not lock.acquire(_WRITER_PATIENCE_S):
        raise StoreError(
            f"a sweep must not be written to MLflow while it is deleted, but "
            f"{lock.holder() or 'a process'} of a former run of {kept.name!r} still does; wait for "
            "it, or end it with: kill PROCESS"
        )
    try:
        yield
    finally:
        lock.release()
