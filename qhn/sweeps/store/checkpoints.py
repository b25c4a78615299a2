"""Checkpoints as bytes: named arrays in NumPy's own archive, never pickled objects."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import ArrayState
from qhn.core.errors import DamagedError, InvalidValueError
from qhn.sweeps.store.formats import FORMAT, check_format, fingerprint

_OWN = ("trial_id", "format", "names")


class Checkpoint(dict[str, NDArray[Any]]):
    """The arrays of a checkpoint by name, and where they were found.

    Attributes:
        key: of the file, which may be that of a former id of the trial.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], key: str, digest: str) -> None:
        super().__init__(arrays)
        self.key = key
        self._digest = digest

    @property
    def step(self) -> int:
        """How far it is; -1 where it does not say."""
        return step_of(self)

    def damage(self, why: str) -> DamagedError:
        """The error that says why these arrays, though readable, cannot be used."""
        return DamagedError(self.key, why, self._digest)


def step_of(state: ArrayState) -> int:
    """How far a state is; -1 where it does not say."""
    step = state.get("step")
    return int(step) if step is not None and step.shape == () and step.dtype.kind in "iu" else -1


def encode(trial_id: str, state: ArrayState) -> bytes:
    """The file's content: the trial whose it is, the format, the arrays' names, and the arrays.

    Each array has a checksum of the archive's, but the list of them has none, and damage there
    can make it shorter. The names say what must be in it, and stand before what might be cut off.

    Raises:
        InvalidValueError: if an array has one of those two names.
    """
    if odd := state.keys() & set(_OWN):
        raise InvalidValueError(
            f"arrays of a checkpoint must not be named {' or '.join(_OWN)}, but got {sorted(odd)}"
        )
    buffer = io.BytesIO()
    own = {
        "trial_id": np.array(trial_id),
        "format": np.array(FORMAT),
        "names": np.array(sorted(state), dtype=np.str_),
    }
    np.savez(buffer, allow_pickle=False, **{**own, **state})
    return buffer.getvalue()


def decode(content: bytes, trial_id: str, key: str) -> Checkpoint:
    """The arrays as they were given; those of format 1 do not say whose they are.

    Raises:
        DamagedError: if it is no checkpoint, or that of another trial.
        NewerFormatError: if a newer version wrote it.
    """
    digest = fingerprint(content)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
    except Exception:  # noqa: BLE001 - damage comes out in many ways
        raise DamagedError(key, "it is not a whole archive of arrays", digest) from None
    version, owner = arrays.pop("format", None), arrays.pop("trial_id", None)
    names = arrays.pop("names", None)
    try:
        if version is not None:
            check_format(version.tolist(), key)
        if len({part is None for part in (version, owner, names)}) > 1:
            raise InvalidValueError(
                "it does not name its trial, its format and its arrays, but some"
            )
        if names is not None and names.tolist() != sorted(arrays):
            raise InvalidValueError("it does not hold the arrays that it names")
    except InvalidValueError as error:
        raise DamagedError(key, str(error), digest) from None
    if owner is not None and owner.tolist() != trial_id:
        why = f"it is the checkpoint of another trial, {owner.tolist()!r}"
        raise DamagedError(key, why, digest)
    return Checkpoint(arrays, key, digest)
