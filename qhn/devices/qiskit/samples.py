"""Samples as Qiskit gives them, turned into basis-state indices with qubit 0 as the highest bit.

The circuits are measured in reverse order (`qhn.devices.qiskit.circuit`), so that the integer that
Qiskit makes of an outcome is the index already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qhn.core.arrays import IntArray


def from_counts(counts: Mapping[str, int]) -> IntArray:
    """The samples of one circuit, in ascending order, from counts by hexadecimal outcome."""
    outcomes = np.array([int(outcome, 16) for outcome in counts], dtype=np.int64)
    samples = np.repeat(outcomes, np.fromiter(counts.values(), dtype=np.int64))
    # The order in which a simulator counts is its own business, and may change.
    samples.sort()
    return samples


def from_bytes(array: Any) -> IntArray:
    """The samples of several circuits from the bytes of a ``BitArray``, the highest byte first.

    Args:
        array: shape ``(M, S, bytes)``, uint8.

    Returns:
        A new array of shape ``(M, S)``.
    """
    places = 256 ** np.arange(array.shape[-1] - 1, -1, -1, dtype=np.int64)
    # A product of integers. `BitArray.get_int_counts` takes a hundred times as long.
    samples: IntArray = array.astype(np.int64) @ places
    return samples
