"""Deleting a sweep: what it owns alone goes, what others plan as well stays."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.core.errors import QhnError, StoreError
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store, SweepStore
from qhn.sweeps.store.removal import bytes_of, folders_of, remove, remove_sweep, sweep_folder
from qhn.sweeps.tracking import TrackingLocation
from qhn.sweeps.tracking.removal import remove_experiment


@dataclass(frozen=True)
class Belongings:
    """What a sweep has in its store, counting the trials of which there is something there.

    Attributes:
        name: of the sweep.
        is_readable: whether its trials are known; if its file cannot be read they are not, and
            ``folders`` is empty.
        folders: of the trials that it alone plans, which go with it.
        trials: number of these trials.
        shared: number of its trials that stay.
        others: the sweeps that plan trials of it as well.
        unreadable: other sweeps whose trials cannot be known. Where there is one, all trials stay:
            each of them may be one of its own.
        size: bytes that its own folder and ``folders`` take.
    """

    name: str
    is_readable: bool
    folders: tuple[str, ...]
    trials: int
    shared: int
    others: tuple[str, ...]
    unreadable: tuple[str, ...]
    size: int


def belongings(store: Store, name: str) -> Belongings:
    """Look what a sweep has in its store; nothing is changed.

    Raises:
        NotFoundError: if the store has no such sweep.
        StoreError: if the store cannot be read, or the sweep is running.
    """
    kept = store.sweep(name)
    if not kept.exists():
        kept.read_file()  # its error names a similar one
    if (holder := kept.lock.holder()) is not None:
        raise StoreError(
            f"a sweep must not run while it is deleted, but {holder} is running {name!r}; "
            "stop it there, or wait for it"
        )
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
        size=bytes_of(store, (sweep_folder(store, name), *folders)),
    )


def _planned(kept: SweepStore) -> dict[str, None] | None:
    """Ids of the trials that a sweep plans; None if its file cannot be read."""
    try:
        plan = make_plan(parse_spec(kept.read_file(), kept.shown_file))
    except QhnError:
        return None
    return dict.fromkeys(trial.trial_id for trial in plan.trials)


def delete_sweep(store: Store, name: str, location: TrackingLocation) -> Belongings:
    """Delete a sweep from MLflow and from the store, with the trials that are its own.

    If this is killed, calling it again deletes the rest: until the end the sweep's file is there,
    which alone says what belongs to it.

    Returns:
        What belonged to it just before, and what of that has stayed.

    Raises:
        NotFoundError: if the store has no such sweep.
        StoreError: if something cannot be deleted, or the sweep is running.
        TrackingError: if MLflow cannot be used; nothing was deleted from the store then.
    """
    # Looked at anew: since somebody was asked, other sweeps may have been started.
    found = belongings(store, name)
    with store.sweep(name).lock:
        # First what may fail for reasons of its own, a server that does not answer for example.
        remove_experiment(location, name)
        for folder in found.folders:
            remove(store, folder)
        remove_sweep(store, name)
    return found
