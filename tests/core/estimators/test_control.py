"""Controls against brute force, and interrupted ones against those that were not."""

import numpy as np
import pytest

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import make_dataset
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.control import ControlEstimator
from qhn.core.estimators.straight_through import StraightThroughEstimator
from qhn.core.evaluation.problem import build_problem
from qhn.core.networks.relaxed import relaxed_loss
from qhn.core.training.optimisers import Adam
from qhn.core.training.trainer import Trainer

PROBLEM = build_problem(make_dataset("moons", train=20, test=30), networks.mlp(2, 1))
ANSATZ = Ansatz.brickwork(n_qubits=6, depth=1)
KINDS = ("random_search", "annealing", "straight_through")


def trainer(kind, seed=0, steps=40, evaluations=16):
    common = {"problem": PROBLEM, "ansatz": ANSATZ, "seed": seed}
    common |= {"steps": steps, "evaluations": evaluations}
    if kind == "straight_through":
        estimator = StraightThroughEstimator(learning_rate=0.1, **common)
    else:
        estimator = ControlEstimator(kind=kind, **common)
    return Trainer(
        estimator=estimator,
        schedule=None,
        optimiser=Adam(0.1),
        seed=seed,
        steps=steps,
        report_every=10,
        clock=lambda: 0,
    )


def finished(made):
    while not made.finished:
        made.advance()
    return made


@pytest.mark.parametrize("kind", KINDS[:2])
def test_on_six_qubits_it_finds_the_best_of_all_networks(kind):
    # 41 steps of 16 networks are ten times as many as there are.
    for seed in range(5):
        done = finished(trainer(kind, seed))
        (top,) = done.top_strings(10)
        assert top.nll == PROBLEM.nll.min() and top.probability == 1.0
        index = int(top.bits, 2)
        last = done.history.last()
        assert last["objective"] == last["nll"] == PROBLEM.nll[index]
        assert last["test_accuracy_expected"] == PROBLEM.test_accuracy[index]
        assert last["entropy"] == pytest.approx(0.0, abs=1e-12)
        assert last["kl"] == pytest.approx(6 * np.log(2))
        names = [f"test_accuracy_{name}" for name in ("mode", "average", "best_of_k")]
        assert {last[name] for name in names} == {last["test_accuracy_expected"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_never_gets_worse_and_depends_on_its_seed(kind):
    one, other = (finished(trainer(kind, seed, steps=30, evaluations=1)) for seed in (1, 2))
    for done in (one, other):
        assert (np.diff(done.history.column("nll")) <= 0).all()
    assert one.history.column("nll").tolist() != other.history.column("nll").tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [0, 1, 7, 20])
def test_an_interrupted_search_ends_as_one_that_was_not(kind, stop):
    whole, first, second = (trainer(kind, steps=20, evaluations=2) for _ in range(3))
    finished(whole)
    for _ in range(stop):
        first.advance()
    second.restore(first.state())
    finished(second)
    expected, found = whole.state(), second.state()
    assert expected.keys() == found.keys()
    assert all(np.array_equal(expected[name], found[name]) for name in expected)


def test_gradients_reach_good_networks_from_most_starts():
    """Of 64 networks; a start may end in one that no single gradient leaves."""
    ranks = []
    for seed in range(20):
        (top,) = finished(trainer("straight_through", seed)).top_strings(1)
        assert top.nll == PROBLEM.nll[int(top.bits, 2)]
        ranks.append(int((PROBLEM.nll < top.nll).sum()))
    assert np.median(ranks) <= 3 and max(ranks) < 32


def test_updates_go_straight_through_the_sign():
    made = StraightThroughEstimator(
        problem=PROBLEM, ansatz=ANSATZ, seed=4, steps=9, evaluations=7, learning_rate=0.5
    )
    v = made.state()["control_latent"]
    assert (np.abs(v) <= 1).all() and len(set(v.tolist())) == 6
    seen = []
    for _ in range(2):  # seven evaluations are two gradients
        bits = "".join("1" if value > 0 else "0" for value in v)
        seen.append(PROBLEM.nll[int(bits, 2)])
        _, gradient = relaxed_loss(
            PROBLEM.network, np.sign(v), PROBLEM.dataset.x_train, PROBLEM.dataset.y_train
        )
        v = np.clip(v - 0.5 * gradient, -1, 1)
    assert made.evaluate(np.zeros(ANSATZ.parameter_shape), 0.0, 0).value == min(seen)
    assert made.state()["control_latent"] == pytest.approx(v)


def test_random_search_looks_at_as_many_networks_as_it_says():
    seen = []

    class Counting(ControlEstimator):
        def _take(self, drawn):
            seen.extend(drawn.tolist())
            super()._take(drawn)

    made = Counting(
        kind="random_search", problem=PROBLEM, ansatz=ANSATZ, seed=3, steps=9, evaluations=5
    )
    angles = np.zeros(ANSATZ.parameter_shape)
    for step in range(10):
        assert not made.evaluate(angles, 0.0, step).gradient.any()
        assert made.evaluate(angles, 0.0, step).value == PROBLEM.nll[seen].min()
    assert len(seen) == 2 * 10 * 5


def test_states_of_others_are_refused():
    gradients = trainer("straight_through")._estimator
    with pytest.raises(InvalidValueError, match="control_latent, 6 finite numbers"):
        gradients.restore({**gradients.state(), "control_latent": np.full(6, np.nan)})
    made = trainer("annealing")._estimator
    with pytest.raises(InvalidValueError, match="the state of a control must hold"):
        made.restore({})
    state = made.state()
    with pytest.raises(InvalidValueError, match="control_best must be the index of a network"):
        made.restore({**state, "control_best": np.array(64)})
    with pytest.raises(InvalidValueError, match="`evaluate` must be called"):
        made.measure(0)
