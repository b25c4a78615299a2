"""Checkpoints as bytes: arrays by name in NumPy's archive format (npz), without pickle."""

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
    """The arrays of a checkpoint by name, and the key of the file that they come from.

    Attributes:
        key: the key of the file, which may belong to a former id of the trial.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], key: str, digest: str) -> None:
        super().__init__(arrays)
        self.key = key
        self._digest = digest

    @property
    def step(self) -> int:
        """The number of updates made before this checkpoint; -1 if it does not say."""
        return step_of(self)

    def damage(self, why: str) -> DamagedError:
        """The error for a checkpoint that can be read but not used, with the reason."""
        return DamagedError(self.key, why, self._digest)


def step_of(state: ArrayState) -> int:
    """The number of updates made before a state; -1 if the state does not say."""
    step = state.get("step")
    return int(step) if step is not None and step.shape == () and step.dtype.kind in "iu" else -1


def encode(trial_id: str, state: ArrayState) -> bytes:
    """Encode a checkpoint: the trial's id, the format, the names of the arrays, and the arrays.

    Raises:
        InvalidValueError: if an array has one of the names that this function uses itself.
    """
    if odd := state.keys() & set(_OWN):
        raise InvalidValueError(
            f"arrays of a checkpoint must not be named {' or '.join(_OWN)}, but got {sorted(odd)}"
        )
    buffer = io.BytesIO()
    # The archive has a checksum for each array, but none for its list of arrays, and damage can
    # make this list shorter without any other trace. So the names of all arrays are stored too, and
    # they come first, before anything that might be cut off.
    own = {
        "trial_id": np.array(trial_id),
        "format": np.array(FORMAT),
        "names": np.array(sorted(state), dtype=np.str_),
    }
    np.savez(buffer, allow_pickle=False, **{**own, **state})
    return buffer.getvalue()


def decode(content: bytes, trial_id: str, key: str) -> Checkpoint:
    """Decode a checkpoint.

    Checkpoints of format 1 do not name their trial, their format and their arrays. They are read
    without these checks.

    Args:
        content: the bytes of the file.
        trial_id: the id under which the file lies.
        key: the key of the file, for messages.

    Raises:
        DamagedError: if it is not a checkpoint, or is the checkpoint of another trial.
        NewerFormatError: if a newer version wrote it.
    """
    digest = fingerprint(content)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
    except Exception:  # noqa: BLE001 - damaged bytes raise many kinds of errors
        raise DamagedError(key, "it is not a whole archive of arrays", digest) from None
    version, owner = arrays.pop("format", None), arrays.pop("trial_id", None)
    names = arrays.pop("names", None)
    try:
        if version is not None:
            check_format(version.tolist(), key)
        # Format 1 has none of the three, and format 2 has all of them.
        if len({part is None for part in (version, owner, names)}) > 1:
            raise InvalidValueError("it names only some of its trial, its format and its arrays")
        if names is not None and names.tolist() != sorted(arrays):
            raise InvalidValueError("it does not hold the arrays that it names")
    except InvalidValueError as error:
        raise DamagedError(key, str(error), digest) from None
    if owner is not None and owner.tolist() != trial_id:
        why = f"it is the checkpoint of another trial, {owner.tolist()!r}"
        raise DamagedError(key, why, digest)
    return Checkpoint(arrays, key, digest)
