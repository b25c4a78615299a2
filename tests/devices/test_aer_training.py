"""Gradients from the samples of noisy Aer, and a whole training from them."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import density

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import make_dataset
from qhn.core.estimators.shift import ShiftEstimator, shifted_places, shifted_sets
from qhn.core.evaluation.problem import build_problem
from qhn.core.noise.depolarising import Depolarising
from qhn.core.objectives.objective import Objective
from qhn.core.objectives.sampled import SampledObjective
from qhn.devices import make_device
from qhn.devices.qiskit.circuit import circuit_of
from qhn.devices.qiskit.simulator import aer
from qhn.sweeps.config import factory
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.trial.session import TrialSession

NOISE = Depolarising(0.01, 0.04)
BANDWIDTH, LAMBDA = 1.5, 7.0


def noisy_distributions(ansatz, sets):
    """The exact noisy distributions, from Aer's density matrix itself."""
    compiled = circuit_of(ansatz)
    circuit = compiled.circuit.remove_final_measurements(inplace=False)
    circuit.save_probabilities(list(range(ansatz.n_qubits))[::-1])
    binds = dict(zip(circuit.parameters, compiled.values(sets).T, strict=True))
    result = aer("density_matrix", NOISE).run(circuit, parameter_binds=[binds]).result()
    return np.stack([each.data.probabilities for each in result.results])


def test_the_density_matrix_of_aer_is_that_of_the_oracle():
    for ansatz in (Ansatz.brickwork(5, 2), Ansatz.ring(6, 2)):
        angles = np.random.default_rng(5).uniform(0, 2 * np.pi, ansatz.parameter_shape)
        [found] = noisy_distributions(ansatz, angles[np.newaxis])
        expected = density.probabilities(ansatz, angles, NOISE.p1, NOISE.p2)
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_gradients_are_off_by_as_much_as_their_errors_say():
    problem = build_problem(make_dataset("moons", train=30, test=20, seed=2), networks.mlp(2, 1))
    z = []
    for number, kind in enumerate(
        [Ansatz.brickwork, Ansatz.chain, Ansatz.ring] * 3 + [Ansatz.ring]
    ):
        ansatz = kind(6, depth=2)
        angles = np.random.default_rng(number).uniform(0, 2 * np.pi, ansatz.parameter_shape)
        here, *shifted = noisy_distributions(ansatz, shifted_sets(ansatz, angles))
        # The derivative of any function of q is that of the observable ∂F/∂q, held fixed.
        _, observable = Objective.of("selbo", problem, BANDWIDTH, None).value_and_observable(
            here, LAMBDA, None
        )
        up, down = np.split(np.stack(shifted) @ observable, 2)
        with make_device("qiskit", noise=NOISE).open(ansatz) as handle:
            estimator = ShiftEstimator(
                problem=problem,
                ansatz=ansatz,
                objective=SampledObjective.of("selbo", problem, BANDWIDTH, None),
                sampler=handle,
                shots=512,
                seed=number,
                best_of=8,
            )
            found = estimator.evaluate(angles, LAMBDA, 0)
        places = shifted_places(ansatz)
        off = found.gradient.flat[places] - (up - down) / 2
        z.extend(off / found.gradient_errors.flat[places])
    assert len(z) == 10 * 18
    assert np.abs(z).max() < 5
    assert 0.8 < np.square(z).mean() < 1.25


@pytest.mark.parametrize("seed", [1, 2, 4])  # the others start where there is less to gain
def test_selbo_trains_on_noisy_aer(seed):
    [trial] = make_plan(
        parse_spec(
            f"""
            name: noisy
            datasets: [moons]
            networks: [{{kind: mlp, hidden: 1}}]
            objectives: [{{name: selbo, lambda: 3}}]
            training: {{steps: 40, learning_rate: 0.1}}
            devices: [{{name: qiskit, shots: 256}}]
            seeds: [{seed}]
            """
        )
    ).trials
    config = trial.config
    device = make_device("qiskit", shots=256, noise=Depolarising(0.001, 0.004))
    assert device.resolved(6).method == "density_matrix"
    with device.open(factory.ansatz(config)) as handle:
        session = TrialSession(config, factory.problem(config), handle, None)
        reports = [session.work(60.0, until_report=True)]
        while not reports[-1].finished:
            reports.append(session.work(60.0, until_report=True))
    assert (reports[0].step, reports[-1].step) == (0, 40)
    assert reports[0].metrics["objective"] > 0.85
    assert reports[-1].metrics["objective"] < 0.55
