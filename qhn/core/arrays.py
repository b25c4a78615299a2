"""The array types of the package, and how arrays from outside reach compiled code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BitArray = NDArray[np.uint8]
#: What `numpy.savez` keeps without pickle: how trainers, optimisers and estimators are put away.
ArrayState = Mapping[str, NDArray[Any]]
Scalar = TypeVar("Scalar", bound=np.generic)


def readonly(array: FloatArray) -> FloatArray:
    """The array as read-only, contiguous float64; without a copy if it is the latter two.

    Tables in shared memory are read-only, other inputs are not. Numba sees two types in that and
    would compile every pass twice, so all inputs go in as read-only.
    """
    return frozen(np.asarray(array, dtype=np.float64))


def frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """The array as read-only and contiguous, of its own type; see `readonly`."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
