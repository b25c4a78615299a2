"""The exact estimator: the contract of all, and what is its own."""

from __future__ import annotations

import numpy as np
import pytest
from contract import ANGLES, ANSATZ, BANDWIDTH, LAMBDA, PROBLEM, Case, EstimatorContract
from oracles import circuit

from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.angles import initial_angles
from qhn.core.estimators.exact import ExactEstimator
from qhn.core.objectives.objective import Objective
from qhn.core.seeds import Purpose, stream


class Counting:
    """An engine that counts what it is asked for."""

    def __init__(self):
        self.engine, self.calls = Engine(ANSATZ), 0

    def probabilities(self, parameters):
        self.calls += 1
        return self.engine.probabilities(parameters)

    def gradient(self, observable):
        self.calls += 1
        return self.engine.gradient(observable)


def exact(name="selbo", seed=3, prior_samples=None, **changes):
    return ExactEstimator(
        **{
            "problem": PROBLEM,
            "ansatz": ANSATZ,
            "objective": Objective.of(name, PROBLEM, BANDWIDTH, prior_samples),
            "simulator": Engine(ANSATZ),
            "seed": seed,
            "best_of": 8,
            **changes,
        }
    )


class TestExactEstimator(EstimatorContract):
    objectives = ("mle", "elbo", "selbo")

    def make(self, name, seed=3):
        simulator = Counting()
        return Case(exact(name, seed, simulator=simulator), lambda: simulator.calls)


def test_before_the_first_report_top_strings_are_of_the_initial_angles():
    q = circuit.probabilities(ANSATZ, initial_angles(ANSATZ, 3))
    best = exact().top_strings(1)[0]
    assert best.bits == format(int(q.argmax()), "06b")
    assert best.probability == pytest.approx(q.max())


def test_prior_strings_are_those_of_seed_and_step():
    estimator = exact(seed=11, prior_samples=16)
    found = estimator.evaluate(ANGLES[0], LAMBDA, 4)
    prior = stream(11, Purpose.PRIOR_SAMPLES, 4).integers(64, size=16)
    objective = Objective.of("selbo", PROBLEM, BANDWIDTH, prior_samples=16)
    q = circuit.probabilities(ANSATZ, ANGLES[0])
    assert found.value == pytest.approx(objective.value_and_observable(q, LAMBDA, prior)[0])
    assert found.value != estimator.evaluate(ANGLES[0], LAMBDA, 5).value


def test_top_strings_do_not_spoil_what_is_measured():
    # The engine has one buffer: after another circuit it no longer holds the evaluated one.
    estimator = exact()
    estimator.evaluate(ANGLES[0], LAMBDA, 0)
    estimator.top_strings(1)
    with pytest.raises(InvalidValueError, match="`evaluate` must be called before `measure`"):
        estimator.measure(0)


def test_probabilities_that_tie_are_cut_by_index():
    class Uniform(Counting):
        def probabilities(self, parameters):
            return np.full(64, 1 / 64)

    top = exact(simulator=Uniform()).top_strings(3)
    assert [string.bits for string in top] == ["000000", "000001", "000010"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"best_of": 0}, "`best_of >= 1`"),
        ({"seed": -1}, "`seed >= 0`"),
        ({"ansatz": Ansatz.chain(5, 1)}, "got 5 qubits for 6 bits"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        exact(**changes)


def test_angles_of_another_circuit_are_refused():
    with pytest.raises(InvalidValueError, match="the state is of another circuit"):
        exact().restore({"reported_parameters": np.zeros((1, 2, 6))})
