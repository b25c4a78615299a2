"""Gradients from noisy samples: that their errors are honest, against density matrices."""

from __future__ import annotations

import numpy as np
from contract import BANDWIDTH, LAMBDA
from oracles import density
from sampling import sampled
from test_trajectories import P1, P2, small_problem

from qhn.core.ansatz import Ansatz
from qhn.core.objectives.objective import Objective
from qhn.core.objectives.sampled import SampledObjective
from qhn.devices import make_device


def test_gradients_through_frames_are_off_by_as_much_as_their_errors_say():
    problem, of_angles, of_values = small_problem(), [], []
    device = make_device("exact", shots=256, noise={"p1": P1, "p2": P2})
    for number in range(10):
        ansatz = (Ansatz.brickwork, Ansatz.chain, Ansatz.ring)[number % 3](4, depth=2)
        angles = np.random.default_rng(number).uniform(0, 2 * np.pi, ansatz.parameter_shape)
        q = density.probabilities(ansatz, angles, P1, P2)
        value, observable = Objective.of("selbo", problem, BANDWIDTH).value_and_observable(
            q, LAMBDA
        )
        gradient = density.gradient(ansatz, angles, observable, P1, P2)
        with device.open(ansatz) as handle:
            estimator = sampled(
                ansatz=ansatz,
                problem=problem,
                objective=SampledObjective.of("selbo", problem, BANDWIDTH),
                sampler=handle,
                shots=256,
            )
            for step in range(4):
                found = estimator.evaluate(angles, LAMBDA, step)
                moved = found.gradient_errors > 0
                assert np.abs(found.gradient[~moved]).max() == 0
                of_angles.extend((found.gradient - gradient)[moved] / found.gradient_errors[moved])
                of_values.append((found.value - value) / found.standard_errors["objective"])
    assert len(of_angles) == 4 * 10 * 12
    assert np.abs(of_angles).max() < 5 and np.abs(of_values).max() < 5
    assert 0.8 < np.square(of_angles).mean() < 1.25
