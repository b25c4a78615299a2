"""Failure signatures on made-up histories: each alone, their first step, and their absence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qhn.core import networks
from qhn.core.ansatz import Ansatz
from qhn.core.data.datasets import Dataset
from qhn.core.engine.engine import Engine
from qhn.core.estimators.estimator import Limits
from qhn.core.estimators.exact import limits_of
from qhn.core.evaluation.problem import build_problem
from qhn.core.metrics import BY_NAME
from qhn.core.training.diagnostics import FLAGS, Flag, diagnose, shots_to_lift
from qhn.core.training.history import History

LIMITS = Limits(gradient=10.0, prior_entropy=14 * math.log(2), chance=0.5)
HEALTHY = {"gradient_norm": 0.5, "entropy": 4.0, "train_accuracy_expected": 0.8}
PRIOR = {"entropy": 9.69, "gradient_norm": 1e-4, "train_accuracy_expected": 0.5}
PLATEAU = {"entropy": 8.0, "gradient_norm": 0.009, "train_accuracy_expected": 0.54}
REGULARISED = {**PLATEAU, "entropy": 6.4, "lambda": 1000.0}
STRING = {"entropy": 0.05, "gradient_norm": 1e-4, "train_accuracy_expected": 0.9}


def history(*rows):
    made = History()
    for place, row in enumerate(rows):
        made.append(10 * place, 0, {**dict.fromkeys(BY_NAME, 0.0), **HEALTHY, **row})
    return made


@pytest.mark.parametrize(
    "rows, flags",
    [
        ([], []),
        ([{}, {}, {}], []),
        ([{}, PRIOR, PRIOR], [Flag("collapse-to-prior", 10)]),
        ([PRIOR, PRIOR], [Flag("collapse-to-prior", 0)]),
        ([PRIOR, {}, PRIOR], [Flag("collapse-to-prior", 20)]),
        ([PRIOR, PRIOR, {}], []),
        ([PLATEAU, PLATEAU], [Flag("barren-plateau", 0)]),
        ([PRIOR, PLATEAU], [Flag("barren-plateau", 10)]),
        ([PLATEAU, {}], []),
        ([{}, PLATEAU], []),
        ([{}, REGULARISED, REGULARISED], [Flag("collapse-to-prior", 10)]),
        ([{}, {**REGULARISED, "lambda": 0.0}], []),
        ([{}, {**REGULARISED, "entropy": 4.8}], []),
        ([{}, {**REGULARISED, "train_accuracy_expected": 0.6}], []),
        ([{}, {**REGULARISED, "gradient_norm": 0.02}], []),
        ([REGULARISED, REGULARISED], [Flag("barren-plateau", 0)]),
        ([{}, {}, STRING], [Flag("collapse-to-string", 20)]),
        ([{"gradient_norm": 10.1}, {}, {}], [Flag("exploding-gradient", 0)]),
        (
            [{}, {"gradient_norm": math.nan}, {}],
            [Flag("exploding-gradient", 10), Flag("diverged", 10)],
        ),
        ([{}, {"objective": math.inf}, {"objective": math.nan}], [Flag("diverged", 10)]),
        (
            [{}, {"gradient_norm": math.inf}],
            [Flag("exploding-gradient", 10), Flag("diverged", 10)],
        ),
        (
            [{"gradient_norm": 50.0}, {**PRIOR, "gradient_norm": 12.0}],
            [Flag("exploding-gradient", 0), Flag("collapse-to-prior", 10)],
        ),
    ],
)
def test_flags_and_their_steps(rows, flags):
    assert diagnose(history(*rows), LIMITS) == flags


@pytest.mark.parametrize(
    "change",
    [{"gradient_norm": 0.011}, {"train_accuracy_expected": 0.56}, {"train_accuracy_expected": 0.44},
     {"entropy": 9.6}],
)  # fmt: skip
def test_a_plateau_needs_all_of_its_signs(change):
    found = diagnose(history({**PLATEAU, **change}), LIMITS)
    assert "barren-plateau" not in [flag.name for flag in found]


def test_rounding_errors_do_not_explode_where_all_networks_are_equally_good():
    nothing = Dataset("nothing", np.zeros((2, 1)), np.arange(2.0), np.zeros((2, 1)), np.arange(2.0))
    problem = build_problem(nothing, networks.logistic(1))
    circuit = Ansatz.brickwork(2, 2)
    engine = Engine(circuit)
    engine.probabilities(np.full(circuit.parameter_shape, 0.7))
    norm = np.linalg.norm(engine.gradient(problem.nll))
    assert norm > 0
    found = diagnose(history({"gradient_norm": norm}), limits_of(problem, circuit))
    assert "exploding-gradient" not in [flag.name for flag in found]


def test_an_entropy_below_the_bound_means_one_likely_string():
    # The entropy is at least −ln max q, so the bound of the flag bounds the largest probability.
    bound = -0.99 * math.log(0.99) - 0.01 * math.log(0.01)
    assert math.exp(-bound) > 0.94
    two_strings = np.array([0.98, 0.02])
    entropy = -(two_strings * np.log(two_strings)).sum()
    assert diagnose(history({"entropy": entropy}), LIMITS) == []
    assert diagnose(history({"entropy": bound * 0.999}), LIMITS)[0].name == "collapse-to-string"


def test_the_order_of_flags_is_fixed():
    assert FLAGS == (
        "exploding-gradient", "collapse-to-prior", "barren-plateau", "collapse-to-string",
        "diverged", "lost-in-shot-noise",
    )  # fmt: skip


def test_metrics_that_a_history_does_not_hold_show_nothing():
    made = History()
    made.append(0, 0, {"nll": math.nan})
    assert diagnose(made, LIMITS) == []


def sampled(*pairs, accuracy=0.5):
    """A history of gradients and their noise, as a device that only samples gives it."""
    made = History()
    for place, (norm, noise) in enumerate(pairs):
        metrics = {"gradient_norm": norm, "train_accuracy_expected": accuracy, "objective": 1.0}
        made.append(10 * place, 0, {**metrics, "gradient_standard_error": noise})
    return made


def names_of(made):
    return {flag.name: flag.step for flag in diagnose(made, LIMITS)}


def test_a_gradient_that_is_noise_alone_at_chance_is_lost():
    assert names_of(sampled((0.5, 0.5), (0.6, 0.5), (0.4, 0.5))) == {"lost-in-shot-noise": 0}
    # One report whose noise is large by chance is outweighed by those before it.
    assert "lost-in-shot-noise" in names_of(sampled((0.5, 0.5), (0.5, 0.5), (0.8, 0.5)))


@pytest.mark.parametrize(
    "made",
    [
        sampled((2.0, 0.5), (0.5, 0.5), (0.5, 0.5)),  # there was a gradient to follow
        sampled((0.5, 0.5), (3.0, 0.5), (0.5, 0.5)),
        sampled((0.5, 0.5), (0.5, 0.5), accuracy=0.9),  # it is at a minimum that is no failure
        sampled((0.5, math.nan), (0.5, math.nan)),
    ],
)
def test_a_gradient_that_was_seen_or_has_led_somewhere_is_not_lost(made):
    assert names_of(made) == {}


def test_the_shots_that_lift_a_gradient_out_are_those_at_which_its_noise_is_as_large():
    # Norms of a gradient of 0.1 with a noise of 0.5 from 16 shots, as seen by many reports.
    rng = np.random.default_rng(0)
    noisy = np.linalg.norm(0.5 * rng.standard_normal((4000, 20)) / 20**0.5 + 0.1 / 20**0.5, axis=1)
    found = shots_to_lift(sampled(*((norm, 0.5) for norm in noisy)), 16)
    assert found == pytest.approx(16 * (0.5 / 0.1) ** 2, rel=0.4)
    assert shots_to_lift(sampled((0.5, 0.5)), 16) == 16
    assert shots_to_lift(sampled((math.nan, math.nan)), 16) == 16
