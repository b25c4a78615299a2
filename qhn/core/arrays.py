"""The array types of the package, and how arrays of callers are passed to compiled code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BitArray = NDArray[np.uint8]
#: Arrays by name, as `numpy.savez` stores them without pickle. Trainers, optimisers and estimators
#: give their states in this form.
ArrayState = Mapping[str, NDArray[Any]]
Scalar = TypeVar("Scalar", bound=np.generic)


def readonly(array: FloatArray) -> FloatArray:
    """A read-only view of the array as contiguous float64. It is copied only if it is not that.

    Tables in shared memory are read-only, and other inputs are not. For Numba these are two types
    of array, and it would compile every pass twice. So all inputs are passed as read-only.
    """
    return frozen(np.asarray(array, dtype=np.float64))


def frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """A read-only, contiguous view of an array of any type; see `readonly`."""
    # A view of its own, so that the caller's array stays writable.
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
