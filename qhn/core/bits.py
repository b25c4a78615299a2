"""The bit order of the package: qubit 0 is the most significant bit of a basis-state index.

This is PennyLane's order (Qiskit has the opposite one). The outcome of qubit i is the bit σ_i in
{0, 1}, which stands for the binary weight w_i = 2σ_i − 1 in {−1, +1} (arXiv 2301.08292).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bits(indices: NDArray[np.integer], n_qubits: int) -> NDArray[np.uint8]:
    """The bits of basis-state indices.

    Args:
        indices: integers in [0, 2^N), of any shape ``(...)``.
        n_qubits: N, the number of bits.

    Returns:
        The bit strings σ, shape ``(..., N)``, with the values 0 and 1. Column i is qubit i.
    """
    shifts = np.arange(n_qubits - 1, -1, -1)
    return ((np.asarray(indices)[..., None] >> shifts) & 1).astype(np.uint8)


def all_bits(n_qubits: int) -> NDArray[np.uint8]:
    """All bit strings in the order of their indices, shape ``(2^N, N)``."""
    return bits(np.arange(2**n_qubits), n_qubits)


def bit_string(index: int, n_qubits: int) -> str:
    """An outcome as text with qubit 0 first, for example ``bit_string(2, 3) == "010"``."""
    return format(index, f"0{n_qubits}b")
