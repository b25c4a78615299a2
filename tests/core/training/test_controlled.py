"""Trainings in which a controller sets λ."""

import numpy as np
import pytest
from oracles.by_hand import make, run

from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import make_dataset
from qhn.core.engine.engine import Engine
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.problem import build_problem
from qhn.core.networks import mlp
from qhn.core.objectives.controllers import EntropyTarget, GradientBalance, Plateau
from qhn.core.objectives.objective import Objective
from qhn.core.training.optimisers import Adam
from qhn.core.training.trainer import Trainer

PROBLEM = build_problem(make_dataset("moons", train=30, test=30), mlp(2, 1))
ANSATZ = Ansatz.brickwork(6, 2)


def trainer(controller, name="elbo", steps=200, **changes):
    return Trainer(
        problem=PROBLEM,
        ansatz=ANSATZ,
        objective=Objective.of(name, PROBLEM, **changes),
        schedule=controller,
        optimiser=Adam(0.1),
        seed=3,
        steps=steps,
        report_every=5,
        best_of=4,
        distribution=Engine(ANSATZ),
    )


@pytest.mark.parametrize("target", [0.3, 0.5])
def test_the_entropy_goes_where_it_is_wanted(target):
    done = run(trainer(EntropyTarget(target=target, gain=0.5), steps=600))
    reached = done.history.last()["entropy"] / (6 * np.log(2))
    assert reached == pytest.approx(target, abs=0.05)


def test_gradients_are_balanced_as_they_are_at_the_report():
    done = trainer(GradientBalance(ratio=1.0, inertia=0.0), "selbo")
    done.advance()
    engine, objective = Engine(ANSATZ), Objective.of("selbo", PROBLEM)
    angles = trainer(None).parameters
    norms = []
    for term in (0.0, 1.0):
        q = engine.probabilities(angles)
        _, observable = objective.value_and_observable(q, term)
        norms.append(engine.gradient(observable - term * PROBLEM.nll))
    wanted = np.linalg.norm(norms[0]) / np.linalg.norm(norms[1])
    assert done.history.last()["lambda"] == 1.0
    while len(done.history) < 2:
        done.advance()
    assert done.history.last()["lambda"] == pytest.approx(wanted)


@pytest.mark.parametrize(
    "controller",
    [EntropyTarget(0.5), GradientBalance(1.0), Plateau(3.0, patience=1)],
    ids=lambda c: c.kind,
)
@pytest.mark.parametrize("stop", [1, 5, 6, 23])
def test_an_interrupted_training_goes_on_bit_for_bit(controller, stop):
    whole = run(trainer(controller, steps=24))
    first = trainer(controller, steps=24)
    while first.step < stop:
        first.advance()
    second = trainer(controller, steps=24)
    second.restore(first.state())
    run(second)
    assert np.array_equal(second.parameters, whole.parameters)
    lambdas = [[row["lambda"] for _, _, row in one.history.items()] for one in (second, whole)]
    assert lambdas[0] == lambdas[1] and len(set(lambdas[0])) > 1


def test_a_state_without_what_the_controller_remembers_is_refused():
    state = trainer(Plateau(1.0)).state()
    assert "controller" in state and "controller" not in make().state()
    del state["controller"]
    with pytest.raises(InvalidValueError, match=r"must hold .*controller"):
        trainer(Plateau(1.0)).restore(state)
    with pytest.raises(InvalidValueError, match="must hold"):
        trainer(None).restore(trainer(Plateau(1.0)).state())
