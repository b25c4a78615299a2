"""The angles of a trial: how they start, and how they are restored from a checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.seeds import Purpose, stream


def initial_angles(ansatz: Ansatz, seed: int) -> FloatArray:
    """The angles at which a trial starts: uniform in [0, 2π), shape ``(depth, 2, N)``.

    Raises:
        InvalidValueError: if the seed is not a whole number, or is negative.
    """
    rng = stream(seed, Purpose.INITIAL_ANGLES)
    angles: FloatArray = rng.uniform(0.0, 2.0 * np.pi, ansatz.parameter_shape)
    return angles


def restored_angles(name: str, array: NDArray[Any], ansatz: Ansatz) -> FloatArray:
    """Check angles from a checkpoint, and return a copy of them.

    Args:
        name: what messages call the array.
        array: the angles, shape ``(depth, 2, N)``, float64.
        ansatz: the circuit that they are for.

    Raises:
        InvalidValueError: if their shape or type shows that they belong to another circuit.
    """
    shape = ansatz.parameter_shape
    if array.shape != shape or array.dtype != np.float64:
        raise InvalidValueError(
            f"{name} must have the shape {shape} of float64, "
            f"but got {array.shape} of {array.dtype}; the state is of another circuit"
        )
    return array.copy()
