"""The trainer's order of events and its refusals, on a distribution worked by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from oracles.by_hand import ANSATZ, PROBLEM, IndependentBits, Squared, make, run

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.estimator import Evaluation
from qhn.core.estimators.exact import ExactEstimator
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.metrics import BY_NAME, VALIDATION
from qhn.core.objectives.schedules import Exponential
from qhn.core.seeds import Purpose, stream
from qhn.core.training.optimisers import SGD


def test_reports_come_at_multiples_and_at_the_end():
    trainer = make()
    seen = []
    while not trainer.finished:
        seen.append((trainer.step, trainer.advance()))
    assert [step for step, _ in seen] == list(range(24))
    assert [report.step for _, report in seen if report] == [0, 10, 20, 23]
    assert trainer.history.steps == [0, 10, 20, 23]
    # KALE is a metric of its own objective alone, and those of held-out points need such points.
    assert list(seen[0][1].metrics) == [
        name for name in BY_NAME if name not in ("kale", *VALIDATION)
    ]
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


class Sampled:
    """A made-up estimator with errors of its own, and one metric that nobody knows."""

    def __init__(self, exact):
        self.exact, self.ansatz, self.limits = exact, exact.ansatz, exact.limits

    def evaluate(self, parameters, lambda_, step, *, report):
        found = self.exact.evaluate(parameters, lambda_, step, report=report)
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
