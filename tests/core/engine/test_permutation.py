"""Plans of CNOT layers, followed in plain Python, against the CNOTs themselves."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.core.ansatz import Ansatz
from qhn.core.engine.permutation import Permutations, plan_permutations


def follow(plan: Permutations, p: int, n_bits: int) -> np.ndarray:
    """Where the plan sends each basis state, read from its parts one after the other."""
    vector = np.full(2 ** (n_bits - 3), -1)
    position = 0
    for count, length in plan.lengths[p]:
        for _ in range(count):
            cycle = plan.cycles[p][position : position + length]
            vector[cycle] = np.roll(cycle, -1)
            position += length
    index = np.arange(2**n_bits)
    index = vector[index >> 3] << 3 | index & 7
    for flag, target in zip(plan.elements[p], (2, 1, 0), strict=True):
        index ^= (index >> (target + 1) & 1 & flag) << target
    if plan.ring[p]:
        index ^= (index & 1) << plan.ring[p]
    return index


@pytest.mark.parametrize("entanglers_first", [True, False])
@pytest.mark.parametrize("entangler", ["brickwork", "chain", "ring"])
@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4, 5, 7, 10, 11])
def test_plans_are_the_cnots_of_each_layer(
    n_qubits: int, entangler: str, entanglers_first: bool
) -> None:
    ansatz = Ansatz(n_qubits, 3, entangler, entanglers_first)
    n_bits = max(n_qubits, 7)
    plan = plan_permutations(ansatz, n_bits)
    between = [0, 1, 2] if not entanglers_first else [1, 2, None]
    assert len(plan.of_layer) == 3
    for layer, p in zip(between, plan.of_layer, strict=True):
        expected = np.arange(2**n_bits)
        for control, target in ansatz.cnots(layer) if layer is not None else ():
            bit = expected >> (n_qubits - 1 - control) & 1
            expected ^= bit << (n_qubits - 1 - target)
        if p < 0:
            assert (expected == np.arange(2**n_bits)).all()
        else:
            assert (follow(plan, p, n_bits) == expected).all()


def test_every_vector_is_on_one_cycle_and_short_cycles_come_first() -> None:
    plan = plan_permutations(Ansatz.chain(12, 2), 12)
    assert sorted(plan.cycles[0]) == list(range(2**9))
    lengths = plan.lengths[0]
    assert (np.diff(lengths[:, 1]) > 0).all()
    assert (lengths[:, 0] * lengths[:, 1]).sum() == 2**9


def test_equal_layers_share_a_plan() -> None:
    plan = plan_permutations(Ansatz.brickwork(8, 9), 8)
    assert len(plan.cycles) <= 3
    assert plan.of_layer[0] == plan.of_layer[2] != plan.of_layer[1]
