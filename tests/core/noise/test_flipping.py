"""Reading an array at outcomes with flipped bits."""

import numpy as np
import pytest

from qhn.core.noise.flipping import flipped


@pytest.mark.parametrize("n_qubits", [1, 2, 5])
def test_all_masks_do_what_indices_do(n_qubits):
    array = np.random.default_rng(0).normal(size=2**n_qubits)
    outcomes = np.arange(2**n_qubits)
    for mask in outcomes:
        found = flipped(array, mask)
        assert (found == array[outcomes ^ mask]).all()
        assert found.flags.c_contiguous
        assert mask == 0 or not np.shares_memory(found, array)
