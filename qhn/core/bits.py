"""Bit order, stated once: qubit 0 is the most significant bit of a basis-state index.

This is PennyLane's order. The outcome bit of qubit i is σ_i in {0, 1} and stands for the binary
weight w_i = 2σ_i − 1 in {−1, +1} (arXiv 2301.08292).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bits(indices: NDArray[np.integer], n_qubits: int) -> NDArray[np.uint8]:
    """Bits of basis-state indices.

    Args:
        indices: integers in [0, 2^N), shape ``(...)``.
        n_qubits: N.

    Returns:
        σ, shape ``(..., N)``, values 0 and 1; column i is qubit i.
    """
    shifts = np.arange(n_qubits - 1, -1, -1)
    return ((np.asarray(indices)[..., None] >> shifts) & 1).astype(np.uint8)


def all_bits(n_qubits: int) -> NDArray[np.uint8]:
    """All bit strings in the order of their index, shape ``(2^N, N)``."""
    return bits(np.arange(2**n_qubits), n_qubits)


def bit_string(index: int, n_qubits: int) -> str:
    """The outcome as text, qubit 0 first: ``bit_string(2, 3) == "010"``."""
    return format(index, f"0{n_qubits}b")
