"""The store: what is known about each trial, by the digest of its configuration.

::

    <trial id>/config.json       what the trial is
               checkpoint.npz    parameters, optimiser, step, history so far
               result.json       once it is over
               error.json        if it failed
               *.unreadable      what could not be used, for whoever wants to look
    sweeps/<name>/...            see `qhn.sweeps.store.sweep`
    store.json                   format of a store that this version made

Nothing is changed by reading. A file that cannot be used is a `DamagedError`, which whoever is
about to train the trial hands to `Store.set_aside`; a file of a newer version is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from qhn.core.arrays import ArrayState
from qhn.core.errors import DamagedError, InvalidValueError, NotFoundError, StoreError
from qhn.sweeps.config.trial import digest
from qhn.sweeps.store.backend import Backend, folder_of, held, is_name
from qhn.sweeps.store.checkpoints import Checkpoint, decode, encode, step_of
from qhn.sweeps.store.formats import fingerprint, parse_object
from qhn.sweeps.store.former import StoreFormat
from qhn.sweeps.store.results import TrialError, TrialResult, read_result
from qhn.sweeps.store.sweep import SweepStore, sweep_names

_TRIAL_ID = re.compile(r"[0-9a-f]{16}")
_SWEEP = re.compile(r"sweeps/[^/]+")


@dataclass(frozen=True)
class Outcomes:
    """How trials have ended, each by its id; a trial that has not is in none of them.

    Attributes:
        results: of those that finished.
        errors: of those that failed and did not finish since.
        damaged: for each trial without a readable result, the error that names the file that
            cannot be read.
    """

    results: dict[str, TrialResult] = field(default_factory=dict)
    errors: dict[str, TrialError] = field(default_factory=dict)
    damaged: dict[str, DamagedError] = field(default_factory=dict)


class Store:
    """Trials and sweeps in one place; every write is atomic.

    A trial that an older version kept under another id is found under the one that it has now.

    Args:
        backend: where the content lies.

    Raises:
        NewerFormatError: if a newer version made the store.
        StoreError: from every method, if the place cannot be used.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._format = StoreFormat(backend)
        self._format.check()

    @property
    def uri(self) -> str:
        """The address that `open_store` takes, in other processes as well."""
        return self.backend.uri

    @property
    def shown(self) -> str:
        """The address as people write it: the path of a folder."""
        return self.backend.shown

    def sweep(self, name: str) -> SweepStore:
        """What the store keeps about a sweep, whether it was run or not.

        Raises:
            NotFoundError: if it is not a name: no file outside the store must be taken for one.
        """
        if not is_name(name):
            raise NotFoundError(
                f"a sweep's name must have no path in it, but got {name!r}; "
                "`qhn sweep list` shows the names, and a file is run with `qhn sweep run FILE`"
            )
        return SweepStore(self.backend, self._format, name)

    def sweeps(self) -> list[SweepStore]:
        """All sweeps that were ever run, by name."""
        return [self.sweep(name) for name in sweep_names(self.backend)]

    def save_config(self, trial_id: str, text: str) -> None:
        """Write what the trial is, unless it is there."""
        key, content = _key(trial_id, "config.json"), text.encode()
        if self.backend.get(key) != content:
            self._format.mark()
            self.backend.put(key, content)

    def config(self, trial_id: str) -> str:
        """The trial's configuration as canonical JSON.

        Raises:
            NotFoundError: if the store has no such trial.
            DamagedError: if it is not the configuration that the id is the digest of.
        """
        key = _key(trial_id, "config.json")
        content = self.backend.get(key)
        if content is None:
            raise NotFoundError(f"no trial {trial_id!r} is in the store {self.shown}")
        try:
            found = digest(parse_object(content))
        except ValueError as error:
            raise DamagedError(key, str(error), fingerprint(content)) from None
        if found != trial_id:
            why = f"it is the configuration of another trial, {found!r}"
            raise DamagedError(key, why, fingerprint(content))
        return content.decode()

    def save_checkpoint(self, trial_id: str, state: ArrayState) -> None:
        """Replace the trial's checkpoint by arrays (no pickle), unless it is further on.

        Two sweeps may have the same trial, and a process whose driver was killed may live on for
        a while. They come to the same numbers, but not at the same time.

        Args:
            trial_id: whose checkpoint it is.
            state: arrays by name; ``step``, a whole number, says how far they are.
        """
        key = _key(trial_id, "checkpoint.npz")

        def step(content: bytes) -> int:
            try:
                return decode(content, trial_id, key).step
            except DamagedError:
                return -1

        self._format.mark()
        self.backend.put_if_newer(key, encode(trial_id, state), step_of(state), step)

    def checkpoint(self, trial_id: str) -> Checkpoint | None:
        """The trial's checkpoint that is furthest on, under this id or a former one, or None.

        Raises:
            DamagedError: if one of them cannot be read; set aside, it hides the others no more.
        """
        furthest: Checkpoint | None = None
        for owner in self._ids(trial_id):
            key = _key(owner, "checkpoint.npz")
            content = self.backend.get(key)
            if content is not None:
                found = decode(content, owner, key)
                if furthest is None or found.step > furthest.step:
                    furthest = found
        return furthest

    def mend(self, damage: DamagedError) -> str:
        """Set aside what cannot be used; what people should hear of it, in one line."""
        kept = self.set_aside(damage)
        where = "another process has put it away" if kept is None else f"it is kept as {kept}"
        return f"{damage.key} cannot be used ({damage.why}); {where}"

    def set_aside(self, damage: DamagedError) -> str | None:
        """Move what cannot be used out of the way, for whoever wants to look.

        Only the content that was found damaged is moved: another process may have set it aside
        already, and begun anew.

        Returns:
            The key under which it lies now; None if it was replaced or removed meanwhile.
        """
        folder, _, name = damage.key.rpartition("/")
        # A sweep's own files are its driver's, which has the lock on them already.
        is_sweep = _SWEEP.fullmatch(folder) is not None
        with nullcontext() if is_sweep else held(self.backend.lock(folder)):
            there = self.backend.get_many([damage.key]).get(damage.key)
            if there is None:
                return None
            replaced = isinstance(there, bytes) and fingerprint(there) != damage.digest
            if replaced and damage.digest is not None:
                return None
            stem = f"{name.rpartition('.')[0] or name}.unreadable"
            target = stem = f"{folder}/{stem}" if folder else stem
            number = 1
            while target in self.backend.get_many([target]):
                number += 1
                target = f"{stem}.{number}"
            self.backend.move(damage.key, target)
            return target

    def save_result(self, result: TrialResult) -> None:
        """Write the end of a trial, once, and clear what its earlier attempts left.

        Raises:
            InvalidValueError: if the trial was stopped early, which is its sweep's matter.
        """
        if result.status != "finished":
            raise InvalidValueError(
                f"a trial's own result must be finished, but got {result.status!r}; "
                "keep a stop with its sweep (SweepStore.save_stop)"
            )
        key = _key(result.trial_id, "result.json")

        def whole(content: bytes) -> int:
            try:
                return 1 if isinstance(self._read(key, content), TrialResult) else -1
            except DamagedError:
                return -1

        self._format.mark()
        self.backend.put_if_newer(key, result.to_json().encode(), 0, whole)
        self._forget_errors(result.trial_id)

    def outcomes(self, trial_ids: Iterable[str]) -> Outcomes:
        """How trials have ended, read all at once; a damaged file hides no other trial."""
        owners = {trial_id: self._ids(trial_id) for trial_id in trial_ids}
        names = ("result.json", "error.json")
        found = self.backend.get_many(
            _key(owner, name) for ids in owners.values() for owner in ids for name in names
        )
        outcomes = Outcomes()
        for trial_id, ids in owners.items():
            for owner in ids:
                self._add(outcomes, trial_id, owner, found.get(_key(owner, names[0])))
            for owner in ids:
                error = found.get(_key(owner, names[1]))
                if error is not None:
                    text = error if isinstance(error, bytes) else str(error).encode()
                    outcomes.errors[trial_id] = TrialError.from_json(text)
                    break
            if trial_id in outcomes.results:
                outcomes.errors.pop(trial_id, None)
                outcomes.damaged.pop(trial_id, None)
        return outcomes

    def _add(
        self, outcomes: Outcomes, trial_id: str, owner: str, content: bytes | DamagedError | None
    ) -> None:
        if content is None:
            return
        try:
            if isinstance(content, DamagedError):
                raise content
            end = self._read(_key(owner, "result.json"), content)
        except DamagedError as error:
            outcomes.damaged.setdefault(trial_id, error)
            return
        if isinstance(end, TrialError):
            outcomes.errors[trial_id] = end
        elif end.status == "finished":
            # Under its former id it is the same training, to the same numbers.
            outcomes.results.setdefault(trial_id, replace(end, trial_id=trial_id))

    def _read(self, key: str, content: bytes) -> TrialResult | TrialError:
        try:
            return read_result(content, folder_of(key), key)
        except InvalidValueError as error:
            raise DamagedError(key, str(error), fingerprint(content)) from None

    def results(self, trial_ids: Iterable[str]) -> dict[str, TrialResult]:
        """Those of the trials that finished, with their results."""
        return self.outcomes(trial_ids).results

    def finished(self, trial_ids: Iterable[str]) -> set[str]:
        """Those of the trials that finished."""
        return set(self.outcomes(trial_ids).results)

    def failed(self, trial_ids: Iterable[str]) -> set[str]:
        """Those of the trials that failed and were not finished since."""
        return set(self.outcomes(trial_ids).errors)

    def result(self, trial_id: str) -> TrialResult | None:
        """The trial's result, or None while it has none, and for one that failed.

        Raises:
            DamagedError: if there is one that cannot be read, and no other.
        """
        outcomes = self.outcomes([trial_id])
        if trial_id in outcomes.damaged:
            raise outcomes.damaged[trial_id]
        return outcomes.results.get(trial_id)

    def save_error(self, trial_id: str, error: TrialError) -> None:
        """Write why a trial failed."""
        self._format.mark()
        self.backend.put(_key(trial_id, "error.json"), error.to_json().encode())

    def error(self, trial_id: str) -> TrialError | None:
        """Why the trial failed, or None if it did not.

        A training that diverged has failed, also where an older version kept it as a result.
        """
        return self.outcomes([trial_id]).errors.get(trial_id)

    def clear_error(self, trial_id: str) -> None:
        """Forget a failure, so that the trial is run again.

        What an older version kept of a training that diverged is set aside: its result, and the
        checkpoint from which it would only end as it did.
        """
        for owner in self._ids(trial_id):
            key = _key(owner, "result.json")
            content = self.backend.get_many([key]).get(key)
            if isinstance(content, bytes) and self._is_diverged(key, content):
                why = "its training diverged"
                self.set_aside(DamagedError(_key(owner, "checkpoint.npz"), why))
                self.set_aside(DamagedError(key, why, fingerprint(content)))
        self._forget_errors(trial_id)

    def _is_diverged(self, key: str, content: bytes) -> bool:
        try:
            return isinstance(self._read(key, content), TrialError)
        except DamagedError:
            return False

    def _forget_errors(self, trial_id: str) -> None:
        for owner in self._ids(trial_id):
            try:
                self.backend.delete(_key(owner, "error.json"))
            except DamagedError as damage:  # a folder in its place, which nobody needs
                self.set_aside(damage)

    def _ids(self, trial_id: str) -> list[str]:
        _check_trial_id(trial_id)
        return self._format.ids(trial_id)


def _check_trial_id(trial_id: str) -> None:
    if not _TRIAL_ID.fullmatch(trial_id):
        raise StoreError(f"a trial id must be 16 hexadecimal digits, but got {trial_id!r}")


def _key(trial_id: str, name: str) -> str:
    _check_trial_id(trial_id)
    return f"{trial_id}/{name}"
