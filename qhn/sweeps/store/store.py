"""The store: what is known about each trial, under the digest of its configuration.

::

    <trial id>/config.json       the configuration of the trial
               checkpoint.npz    parameters, optimiser, step and history so far
               result.json       the result, when the trial has finished
               error.json        the error, if the trial has failed
               *.unreadable      files that could not be used, for people who want to look
    data/<digest>.npz            points that sweeps have read from files
    sweeps/<name>/...            see `qhn.sweeps.store.sweep`
    store.json                   the format of a store that this version made
    lock                         see `qhn.sweeps.store.ownership`

Reading never changes a store. Reading a file that cannot be used raises a `DamagedError`. The
process that is going to train the trial then calls `Store.set_aside` with this error. A file of a
newer version is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from qhn.core.arrays import ArrayState
from qhn.core.data.point_sets import sizes_of
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
    """How trials have ended. A trial that has not ended is in none of the three mappings.

    Attributes:
        results: the results of trials that finished, by trial id.
        errors: the errors of trials that failed and have not finished since, by trial id.
        damaged: by trial id, the error that names a result file that cannot be read, for trials
            without any other result.
    """

    results: dict[str, TrialResult] = field(default_factory=dict)
    errors: dict[str, TrialError] = field(default_factory=dict)
    damaged: dict[str, DamagedError] = field(default_factory=dict)


class Store:
    """Keeps trials and sweeps. Every write is atomic.

    A trial that an older version stored under a former id is found under its present id.

    Args:
        backend: the place that keeps the contents.

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
        """The address of the store. `open_store` takes it, in other processes as well."""
        return self.backend.uri

    @property
    def shown(self) -> str:
        """The address in the form in which people write it: the path of a folder."""
        return self.backend.shown

    def sweep(self, name: str) -> SweepStore:
        """The part of the store for one sweep, whether the sweep was run before or not.

        Raises:
            NotFoundError: if the text cannot be the name of a sweep, for example if it is a path.
        """
        # A name with ".." in it could lead to files outside the store.
        if not is_name(name):
            raise NotFoundError(
                f"a sweep's name must have no path in it, but got {name!r}; "
                "`qhn sweep list` shows the names, and a file is run with `qhn sweep run FILE`"
            )
        return SweepStore(self.backend, self._format, name)

    def sweeps(self) -> list[SweepStore]:
        """All sweeps that were ever run, in the order of their names."""
        return [self.sweep(name) for name in sweep_names(self.backend)]

    def ids(self, trial_id: str) -> list[str]:
        """The trial's id, then those under which an older version has kept something of it."""
        _check_trial_id(trial_id)
        return self._format.ids(trial_id)

    def trial_ids(self, prefix: str = "") -> list[str]:
        """Ids of the trials of which the store has something, former ids among them, sorted."""
        names = self.backend.folders()
        return [name for name in names if _TRIAL_ID.fullmatch(name) and name.startswith(prefix)]

    def points(self, digest: str) -> bytes | None:
        """The points of a data set, as `qhn.core.data.point_sets.encode` writes them, or None."""
        return self.backend.get(_data_key(digest))

    def save_points(self, digest: str, content: bytes) -> None:
        """Keep the points of a data set, unless the store has them."""
        self._format.mark()
        self.backend.put_if_newer(_data_key(digest), content, 0, lambda there: 1)

    def save_config(self, trial_id: str, text: str) -> None:
        """Write the configuration of the trial, unless the store has it already."""
        key, content = _key(trial_id, "config.json"), text.encode()
        self._format.mark()
        self.backend.put_if_newer(key, content, 0, lambda there: 1 if there == content else 0)

    def config(self, trial_id: str) -> str:
        """The configuration of the trial as canonical JSON.

        Raises:
            NotFoundError: if the store has no such trial.
            DamagedError: if the id is not the digest of the configuration that is found.
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
        """Replace the checkpoint of the trial, unless the stored one has more steps.

        Args:
            trial_id: the id of the trial.
            state: arrays by name. ``step``, a whole number, is the number of updates made so far.
        """
        # Two processes may train the same trial: those of two sweeps, or one that has not noticed
        # yet that its driver was killed. Both compute the same numbers, but the slower one must not
        # put the trial back.
        key = _key(trial_id, "checkpoint.npz")

        def step(content: bytes) -> int:
            try:
                return decode(content, trial_id, key).step
            except DamagedError:
                return -1

        self._format.mark()
        self.backend.put_if_newer(key, encode(trial_id, state), step_of(state), step)

    def checkpoint(self, trial_id: str) -> Checkpoint | None:
        """The checkpoint with the most steps, under the present id or a former one, or None.

        Raises:
            DamagedError: if one of these checkpoints cannot be read. When it has been set aside,
                the others can be read.
        """
        furthest: Checkpoint | None = None
        for owner in self.ids(trial_id):
            key = _key(owner, "checkpoint.npz")
            content = self.backend.get(key)
            if content is not None:
                found = decode(content, owner, key)
                if furthest is None or found.step > furthest.step:
                    furthest = found
        return furthest

    def mend(self, damage: DamagedError) -> str:
        """Set aside a file that cannot be used, and describe this to people in one line."""
        kept = self.set_aside(damage)
        gone = "another process has moved or replaced it"
        where = gone if kept is None else f"it is kept as {kept}"
        return f"{damage.key} cannot be used ({damage.why}); {where}"

    def set_aside(self, damage: DamagedError) -> str | None:
        """Give a file that cannot be used another name, so that people can look at it later.

        Only the content that was found damaged is moved. Another process may have set it aside
        already, and may have written a new file.

        Returns:
            The new key of the file; None if it was replaced or removed meanwhile.
        """
        folder, _, name = damage.key.rpartition("/")
        # Only the driver of a sweep sets the sweep's files aside. It has the lock of that folder
        # already, and would wait for itself here.
        is_sweep = _SWEEP.fullmatch(folder) is not None
        with nullcontext() if is_sweep else held(self.backend.lock(folder)):
            there = self.backend.get_many([damage.key]).get(damage.key)
            if there is None:
                return None
            # Without a digest nothing can be compared, and the file is moved in any case.
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
        """Write the result of a finished trial, and remove errors of earlier attempts.

        A result that is there already is kept.

        Raises:
            InvalidValueError: if the trial was stopped early. Only its sweep stores such a result.
        """
        if result.status != "finished":
            raise InvalidValueError(
                f"a trial's own result must be finished, but got {result.status!r}; "
                "keep a stop with its sweep (SweepStore.save_stop)"
            )
        key = _key(result.trial_id, "result.json")

        # A readable result has a higher rank than the new one, and stays. Any other content is
        # replaced.
        def whole(content: bytes) -> int:
            try:
                return 1 if isinstance(self._read(key, content), TrialResult) else -1
            except DamagedError:
                return -1

        self._format.mark()
        self.backend.put_if_newer(key, result.to_json().encode(), 0, whole)
        for owner in self.ids(result.trial_id):
            self._forget_error(owner)

    def outcomes(self, trial_ids: Iterable[str]) -> Outcomes:
        """How trials have ended. All files are read at once; a damaged one hides no other trial."""
        owners = {trial_id: self.ids(trial_id) for trial_id in trial_ids}
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
            # A result under any of the ids counts for more than an error or a damaged file.
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
            # A result under a former id comes from the same training and has the same numbers.
            outcomes.results.setdefault(trial_id, replace(end, trial_id=trial_id))

    def _read(self, key: str, content: bytes) -> TrialResult | TrialError:
        try:
            return read_result(content, folder_of(key), key)
        except InvalidValueError as error:
            raise DamagedError(key, str(error), fingerprint(content)) from None

    def results(self, trial_ids: Iterable[str]) -> dict[str, TrialResult]:
        """The results of those of the given trials that have finished, by trial id."""
        return self.outcomes(trial_ids).results

    def finished(self, trial_ids: Iterable[str]) -> set[str]:
        """The ids of those of the given trials that have finished."""
        return set(self.outcomes(trial_ids).results)

    def failed(self, trial_ids: Iterable[str]) -> set[str]:
        """The ids of those of the given trials that have failed and have not finished since."""
        return set(self.outcomes(trial_ids).errors)

    def result(self, trial_id: str) -> TrialResult | None:
        """The result of the trial; None if it has not finished, or has failed.

        Raises:
            DamagedError: if the only result cannot be read.
        """
        outcomes = self.outcomes([trial_id])
        if trial_id in outcomes.damaged:
            raise outcomes.damaged[trial_id]
        return outcomes.results.get(trial_id)

    def save_error(self, trial_id: str, error: TrialError) -> None:
        """Write the error with which a trial failed."""
        self._format.mark()
        self.backend.put(_key(trial_id, "error.json"), error.to_json().encode())

    def error(self, trial_id: str) -> TrialError | None:
        """The error with which the trial failed, or None if it has not failed.

        A trial whose training diverged has failed, even if an older version stored it as a result.
        """
        return self.outcomes([trial_id]).errors.get(trial_id)

    def clear_errors(self, trial_ids: Iterable[str]) -> None:
        """Forget failures, so that these trials are run again.

        If an older version stored a training that diverged as a result, this result is set aside,
        and with it the checkpoint, from which the training would only diverge again.
        """
        owners = [owner for trial_id in trial_ids for owner in self.ids(trial_id)]
        names = ("result.json", "error.json")
        found = self.backend.get_many(_key(owner, name) for owner in owners for name in names)
        for owner in owners:
            key = _key(owner, "result.json")
            content = found.get(key)
            if isinstance(content, bytes) and self._is_diverged(key, content):
                why = "its training diverged"
                self.set_aside(DamagedError(_key(owner, "checkpoint.npz"), why))
                self.set_aside(DamagedError(key, why, fingerprint(content)))
            if _key(owner, "error.json") in found:
                self._forget_error(owner)

    def _is_diverged(self, key: str, content: bytes) -> bool:
        try:
            return isinstance(self._read(key, content), TrialError)
        except DamagedError:
            return False

    def _forget_error(self, owner: str) -> None:
        try:
            self.backend.delete(_key(owner, "error.json"))
        except DamagedError as damage:  # a folder is in its place, which nobody needs
            self.set_aside(damage)


def _data_key(digest: str) -> str:
    sizes_of(digest)  # what is no digest could be a path out of the folder
    return f"data/{digest}.npz"


def _check_trial_id(trial_id: str) -> None:
    if not _TRIAL_ID.fullmatch(trial_id):
        raise StoreError(f"a trial id must be 16 hexadecimal digits, but got {trial_id!r}")


def _key(trial_id: str, name: str) -> str:
    _check_trial_id(trial_id)
    return f"{trial_id}/{name}"
