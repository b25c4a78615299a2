"""The trainer's order of events, its states and its refusals, on a distribution worked by hand."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.bits import all_bits
from qhn.core.data.datasets import make_dataset
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.estimator import Evaluation
from qhn.core.estimators.exact import ExactEstimator
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.evaluation.problem import build_problem
from qhn.core.metrics import BY_NAME, ORIGINAL_NAMES
from qhn.core.objectives.schedules import Exponential
from qhn.core.seeds import Purpose, stream
from qhn.core.training.optimisers import SGD, Adam
from qhn.core.training.trainer import Trainer

PROBLEM = build_problem(make_dataset("moons", train=30, test=20, seed=0), networks.mlp(2, 1))
ANSATZ = Ansatz.brickwork(n_qubits=6, depth=1)


class IndependentBits:
    """One layer of RY and RZ on |0…0⟩: bit i is 1 with probability sin²(θ_i / 2)."""

    def __init__(self):
        self.calls: list[np.ndarray] = []

    def probabilities(self, parameters):
        self.calls.append(parameters.copy())
        self.angles = parameters[0, 0].copy()
        one = np.sin(self.angles / 2) ** 2
        self.factors = np.where(all_bits(6) == 1, one, 1 - one)
        return self.factors.prod(axis=1)

    def gradient(self, observable):
        slope = np.where(all_bits(6) == 1, 1, -1) * np.sin(self.angles) / 2
        found = np.zeros((1, 2, 6))
        for i in range(6):
            others = np.delete(self.factors, i, axis=1).prod(axis=1)
            found[0, 0, i] = (observable * others * slope[:, i]).sum()
        return found


@dataclass
class Squared:
    """E_q[nll] + λ Σ q²: an objective that is easy to check, recording what it is given."""

    prior_samples: int | None = None

    def __post_init__(self):
        self.lambdas: list[float] = []
        self.priors: list[np.ndarray | None] = []

    def value_and_observable(self, q, lambda_, prior=None):
        self.lambdas.append(lambda_)
        self.priors.append(prior)
        return q @ PROBLEM.nll + lambda_ * (q @ q), PROBLEM.nll + 2 * lambda_ * q

    def terms(self, q):
        entropy = -(q * np.log(np.maximum(q, 1e-300))).sum()
        return SimpleNamespace(
            nll=q @ PROBLEM.nll, kl=6 * np.log(2) - entropy, mmd2=0.0, entropy=entropy
        )


def make(**changes):
    arguments = {
        "problem": PROBLEM,
        "ansatz": ANSATZ,
        "objective": Squared(),
        "schedule": Exponential(1.0, 0.1),
        "optimiser": Adam(0.1),
        "seed": 5,
        "steps": 23,
        "report_every": 10,
        "best_of": 4,
        "distribution": IndependentBits(),
        **changes,
    }
    return Trainer(**arguments)


def run(trainer):
    while not trainer.finished:
        trainer.advance()
    return trainer


def test_reports_come_at_multiples_and_at_the_end():
    trainer = make()
    seen = []
    while not trainer.finished:
        seen.append((trainer.step, trainer.advance()))
    assert [step for step, _ in seen] == list(range(24))
    assert [report.step for _, report in seen if report] == [0, 10, 20, 23]
    assert trainer.history.steps == [0, 10, 20, 23]
    assert list(seen[0][1].metrics) == list(BY_NAME)
    assert trainer.advance() is None and len(trainer.history) == 4


@pytest.mark.parametrize(
    "steps, every, expected", [(20, 10, [0, 10, 20]), (3, 10, [0, 3]), (2, 1, [0, 1, 2])]
)
def test_the_last_step_is_reported_once(steps, every, expected):
    assert run(make(steps=steps, report_every=every)).history.steps == expected


def test_each_step_evaluates_once_and_updates_by_the_gradient():
    distribution = IndependentBits()
    trainer = make(distribution=distribution, optimiser=SGD(0.5), steps=4, schedule=None)
    start = stream(5, Purpose.INITIAL_ANGLES).uniform(0, 2 * np.pi, (1, 2, 6))
    run(trainer)
    assert len(distribution.calls) == 5
    np.testing.assert_array_equal(distribution.calls[0], start)
    check = IndependentBits()
    for before, after in pairwise(distribution.calls):
        check.probabilities(before)
        np.testing.assert_allclose(after, before - 0.5 * check.gradient(PROBLEM.nll), atol=1e-14)
    np.testing.assert_array_equal(trainer.parameters, distribution.calls[-1])


def test_the_metrics_of_a_row_are_those_of_its_step():
    trainer = make()
    run(trainer)
    bits = IndependentBits()
    q = bits.probabilities(trainer.parameters)
    last = trainer.history.last()
    lambdas = trainer.history.column("lambda")
    assert lambdas.tolist() == [Exponential(1.0, 0.1).at(s, 23) for s in (0, 10, 20, 23)]
    assert last["objective"] == pytest.approx(q @ PROBLEM.nll + 0.1 * q @ q)
    assert last["nll"] == pytest.approx(q @ PROBLEM.nll)
    assert last["train_accuracy_expected"] == pytest.approx(q @ PROBLEM.train_accuracy)
    assert last["test_accuracy_mode"] == PROBLEM.test_accuracy[q.argmax()]
    gradient = bits.gradient(PROBLEM.nll + 0.2 * q)
    assert last["gradient_norm"] == pytest.approx(np.linalg.norm(gradient))
    best = Evaluator(PROBLEM).best_sample(q, 4, stream(5, Purpose.BEST_OF_K, 23))
    assert last["test_accuracy_best_of_k"] == PROBLEM.test_accuracy[best]


def test_without_a_schedule_lambda_is_zero():
    objective = Squared()
    run(make(objective=objective, schedule=None, steps=3))
    assert objective.lambdas == [0.0] * 4 and objective.priors == [None] * 4


def test_prior_samples_are_drawn_anew_each_step_from_the_seed():
    objective = Squared(prior_samples=500)
    run(make(objective=objective, steps=3))
    for step, prior in enumerate(objective.priors):
        expected = stream(5, Purpose.PRIOR_SAMPLES, step).integers(64, size=500)
        np.testing.assert_array_equal(prior, expected)
    assert len(np.unique(np.concatenate(objective.priors))) == 64


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 24), min_size=1, max_size=3),
    st.sampled_from([1, 7, 10, 50]),
    st.sampled_from([lambda: Adam(0.1), lambda: SGD(0.1), lambda: SGD(0.1, momentum=0.5)]),
    st.sampled_from([None, 32]),
)
def test_a_trainer_stopped_anywhere_ends_bit_identical(stops, every, optimiser, prior_samples):
    def fresh():
        return make(
            optimiser=optimiser(),
            report_every=every,
            objective=Squared(prior_samples=prior_samples),
        )

    whole = run(fresh())
    trainer = fresh()
    for stop in sorted(stops):
        while not trainer.finished and trainer.step < stop:
            trainer.advance()
        if stop == 24:
            run(trainer)
        file = io.BytesIO()
        np.savez(file, **trainer.state())
        file.seek(0)
        stamps = trainer.history.timestamps
        trainer = fresh()
        with np.load(file, allow_pickle=False) as state:
            trainer.restore(dict(state))
        assert trainer.history.timestamps == stamps
    run(trainer)
    assert np.array_equal(trainer.parameters, whole.parameters)
    ours, theirs = trainer.history.to_array(), whole.history.to_array()
    assert np.array_equal(np.delete(ours, 1, axis=1), np.delete(theirs, 1, axis=1))
    assert trainer.top_strings(5) == whole.top_strings(5)


def test_a_state_does_not_change_when_training_goes_on():
    trainer = make()
    trainer.advance()
    state = trainer.state()
    kept = {name: array.copy() for name, array in state.items()}
    run(trainer)
    assert all(np.array_equal(state[name], kept[name]) for name in kept)


def test_timestamps_are_taken_once_from_the_clock_that_is_given():
    now = iter([1000, 2000, 3000, 4000])
    trainer = run(make(clock=lambda: next(now)))
    assert trainer.history.timestamps == [1000, 2000, 3000, 4000]
    again = make()
    again.restore(trainer.state())
    assert again.finished and again.history.timestamps == [1000, 2000, 3000, 4000]


def test_top_strings_are_those_of_the_latest_report():
    trainer = make()
    run(trainer)
    q = IndependentBits().probabilities(trainer.parameters)
    top = trainer.top_strings(3)
    order = np.argsort(-q, kind="stable")[:3]
    assert [t.bits for t in top] == [format(i, "06b") for i in order]
    assert [t.probability for t in top] == pytest.approx(q[order])
    assert top[0].nll == PROBLEM.nll[order[0]]
    assert top[0].test_accuracy == PROBLEM.test_accuracy[order[0]]
    assert len(trainer.top_strings(1000)) == 64

    moved = make()
    moved.advance()
    assert moved.top_strings(64) == make().top_strings(64)


def test_flags_come_from_the_history():
    trainer = make(schedule=Exponential(1e4, 1e4))
    trainer.advance()
    assert [(f.name, f.step) for f in trainer.flags()] == [("exploding-gradient", 0)]


def test_angles_that_are_not_finite_are_a_divergence():
    trainer = make(optimiser=SGD(1e308), schedule=Exponential(1e4, 1e4))
    with np.errstate(all="ignore"):
        trainer.advance()
        assert not make().diverged and trainer.diverged
        run(trainer)
    found = [(flag.name, flag.step) for flag in trainer.flags()]
    assert found == [("exploding-gradient", 0), ("diverged", 10)]
    assert math.isnan(trainer.history.last()["objective"]) and trainer.top_strings(3) == []


def test_a_checkpoint_of_f0fdd86_goes_on_bit_for_bit():
    source = make()
    for _ in range(14):
        source.advance()
    state = {k: v for k, v in source.state().items() if k != "history_columns"}
    assert state["history"].shape == (2, 17)
    trainer = make()
    trainer.restore(state)
    assert trainer.history.names == ORIGINAL_NAMES
    run(trainer)
    whole = run(source).state()
    numbers = trainer.state()
    assert set(numbers) == set(whole)
    for name in set(whole) - {"history"}:
        assert np.array_equal(numbers[name], whole[name])
    rows = [np.delete(s["history"], 1, axis=1) for s in (numbers, whole)]
    assert np.array_equal(*rows)


class Sampled:
    """A made-up estimator with errors of its own, and one metric that nobody knows."""

    def __init__(self, exact):
        self.exact, self.ansatz, self.limits = exact, exact.ansatz, exact.limits

    def evaluate(self, parameters, lambda_, step):
        found = self.exact.evaluate(parameters, lambda_, step)
        return Evaluation(found.value, found.gradient, {"objective": 0.25})

    def measure(self, step):
        return {"shots": 100.0, "nll": self.exact.measure(step)["nll"]}

    def top_strings(self, k):
        return []

    def state(self):
        return {"jobs": np.array([7])}

    def restore(self, state):
        assert state["jobs"].tolist() == [7]


def estimator(**changes):
    return ExactEstimator(
        **{
            "problem": PROBLEM,
            "ansatz": ANSATZ,
            "objective": Squared(),
            "simulator": IndependentBits(),
            "seed": 5,
            "best_of": 4,
            **changes,
        }
    )


WITHOUT_PARTS = dict.fromkeys(("problem", "ansatz", "objective", "best_of", "distribution"))


def test_an_estimator_in_the_place_of_its_parts_trains_the_same():
    given, parts = run(make(**WITHOUT_PARTS, estimator=estimator())), run(make())
    assert np.array_equal(given.parameters, parts.parameters)
    assert given.history.last() == parts.history.last()
    assert given.top_strings(5) == parts.top_strings(5)


def test_any_estimator_will_do_and_reports_hold_what_it_measures():
    def fresh():
        return make(**WITHOUT_PARTS, estimator=Sampled(estimator()))

    trainer = run(fresh())
    assert list(trainer.history.last()) == [
        *("objective", "lambda", "nll", "gradient_norm", "shots", "objective_standard_error")
    ]
    assert trainer.history.column("objective_standard_error").tolist() == [0.25] * 4
    assert trainer.flags() == [] and trainer.top_strings(3) == []
    again = fresh()
    again.restore(trainer.state())
    assert again.finished and again.history.names == trainer.history.names


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"estimator": "any"}, "takes an estimator or .*, but got both"),
        ({"objective": None}, "needs an estimator, or .* some of these are missing"),
        (WITHOUT_PARTS, "needs an estimator, or .* some of these are missing"),
    ],
)
def test_an_estimator_and_its_parts_exclude_each_other(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        make(**changes)


def broken(state, **changes):
    return {k: v for k, v in {**state, **changes}.items() if v is not None}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"history": None}, "must hold step, parameters, reported_parameters, history"),
        ({"surprise": np.zeros(1)}, "but got history, history_columns, parameters, .*surprise"),
        ({"step": np.array(99)}, r"`0 <= step <= 23` must hold, but got step=99"),
        ({"step": np.array(1.5)}, "one integer"),
        ({"step": np.array([1])}, "one integer"),
        ({"step": np.array(11)}, r"must have the steps \[0, 10\], but got \[0\]"),
        ({"history": np.zeros((1, 3))}, r"shape \(rows, 17\)"),
        ({"history_columns": np.array(["step"])}, "must begin with step and timestamp_ms"),
        ({"history": np.zeros((0, 17))}, r"must have the steps \[0\], but got \[\]"),
        ({"parameters": np.zeros((2, 2, 6))}, r"parameters must have the shape \(1, 2, 6\)"),
        ({"parameters": np.zeros((1, 2, 6), np.float32)}, "float64"),
        ({"reported_parameters": np.zeros(3)}, "reported_parameters must have the shape"),
        ({"optimiser.mean": None}, "Adam after 5 updates must hold count, mean, square"),
        ({"optimiser.mean": np.zeros(3)}, r"mean of Adam must have the shape \(1, 2, 6\)"),
        ({"optimiser.count": np.array(6.0)}, "must be the number of updates, 5, but got 6"),
        (
            {"optimiser.mean": None, "optimiser.count": None, "optimiser.square": None},
            "but got nothing",
        ),
    ],
)
def test_states_that_do_not_fit_are_refused_and_change_nothing(changes, message):
    source = make()
    for _ in range(5):
        source.advance()
    trainer = make()
    with pytest.raises(InvalidValueError, match=message):
        trainer.restore(broken(source.state(), **changes))
    np.testing.assert_array_equal(run(trainer).parameters, run(make()).parameters)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"steps": 0}, "`steps >= 1` must hold"),
        ({"steps": 2.5}, "steps must be a whole number, but got steps=2.5"),
        ({"seed": -1}, "`seed >= 0` must hold, but got seed=-1"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"report_every": 0}, "`report_every >= 1` must hold"),
        ({"best_of": 0}, "`best_of >= 1` must hold"),
        ({"ansatz": Ansatz.chain(5, 1)}, "got 5 qubits for 6 bits"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InvalidValueError, match=message):
        make(**changes)


def test_no_top_strings_below_one():
    with pytest.raises(InvalidValueError, match="`k >= 1`"):
        make().top_strings(0)
