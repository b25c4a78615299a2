"""Controllers of λ: their rules by hand, and their bounds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhn.core.errors import InvalidValueError
from qhn.core.objectives.controllers import (
    CONTROLLERS,
    EntropyTarget,
    GradientBalance,
    Plateau,
    Seen,
    make_controller,
    restored_memory,
)

PRIOR = 4 * math.log(2)


def after(controller, *seen):
    memory = controller.begin()
    values = []
    for one in seen:
        memory = controller.after(memory, one)
        values.append(float(memory[0]))
    return values


def entropy(share):
    return Seen({"entropy": share * PRIOR}, PRIOR)


def losses(*values):
    return [Seen({"nll": value}, PRIOR) for value in values]


def test_lambda_grows_while_the_entropy_is_too_low():
    controller = EntropyTarget(target=0.5, start=2.0, gain=2.0)
    # exp(2 (0.5 − 0.25)) and then exp(2 (0.5 − 0.75)).
    assert after(controller, entropy(0.25), entropy(0.75)) == pytest.approx(
        [2 * math.exp(0.5), 2.0]
    )


def test_lambda_balances_the_gradients():
    controller = GradientBalance(ratio=2.0, start=1.0, inertia=0.5)
    # Both terms pull alike with λ = 3 / 0.75 = 4, twice that is 8, and half the way in ln is √8.
    seen = Seen({}, PRIOR, loss_gradient=3.0, divergence_gradient=0.75)
    first, second = after(controller, seen, seen)
    assert first == pytest.approx(math.sqrt(8))
    assert second == pytest.approx(math.sqrt(8 * math.sqrt(8)))
    flat = Seen({}, PRIOR, loss_gradient=0.0, divergence_gradient=0.75)
    assert after(controller, flat) == [1.0]


def test_lambda_falls_when_the_loss_has_stopped_falling():
    controller = Plateau(start=8.0, factor=0.5, patience=2, threshold=0.1, low=3.0)
    seen = losses(1.0, 0.5, 0.45, 0.46, 0.47, 0.41, 0.2, 0.2, 0.2)
    # 0.45 and 0.46 are not below 0.5 by 0.1. After that the nll is compared with 0.46 at first.
    assert after(controller, *seen) == [8.0, 8.0, 8.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    "controller", [EntropyTarget(target=0.5), GradientBalance(ratio=1.0)], ids=lambda c: c.kind
)
@given(shares=st.lists(st.floats(0, 1), max_size=30), gain=st.floats(1e-3, 1e6))
def test_lambda_stays_between_its_bounds(controller, shares, gain):
    seen = [
        Seen({"entropy": share * PRIOR}, PRIOR, loss_gradient=gain * share, divergence_gradient=1.0)
        for share in shares
    ]
    assert all(controller.low <= value <= controller.high for value in after(controller, *seen))


def test_a_large_gain_reaches_the_bounds_and_no_further():
    controller = EntropyTarget(target=0.9, gain=1e6)
    assert after(controller, entropy(0.0), entropy(1.0), entropy(0.0)) == [1000.0, 0.001, 1000.0]


def test_after_a_diverged_training_lambda_is_a_number():
    nan = Seen({"entropy": math.nan, "nll": math.nan}, PRIOR, math.nan, math.nan)
    for controller in (EntropyTarget(0.5), GradientBalance(1.0), Plateau(1.0)):
        assert all(map(math.isfinite, after(controller, nan, nan, nan, nan)))
        # And what it remembers is taken up again.
        memory = controller.begin()
        for _ in range(4):
            memory = controller.after(memory, nan)
        assert (restored_memory(controller, memory) == memory).all()


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("entropy", {"target": 1.0}, "target < 1"),
        ("entropy", {"target": 0.5, "gain": 0.0}, "gain > 0"),
        ("entropy", {"target": 0.5, "low": 2.0}, "low <= start <= high"),
        ("balance", {"ratio": math.inf}, "ratio > 0"),
        ("balance", {"ratio": 1.0, "inertia": 1.0}, "inertia < 1"),
        ("plateau", {"start": 1.0, "factor": 1.0}, "factor < 1"),
        ("plateau", {"start": 1.0, "patience": 0}, "patience"),
        ("plateau", {"start": 1.0, "threshold": -1.0}, "threshold >= 0"),
        ("plateau", {"start": 1.0, "low": 2.0}, "low <= start"),
        ("constant", {"value": 1.0}, "must be one of entropy, balance, plateau"),
    ],
)
def test_settings_out_of_range(kind, values, words):
    with pytest.raises(InvalidValueError, match=words):
        make_controller(kind, **values)


def test_what_it_remembers_is_checked():
    controller = Plateau(1.0)
    assert restored_memory(controller, controller.begin()).tolist() == [1.0, math.inf, 0.0]
    for wrong in (np.zeros(2), np.zeros(3, dtype=np.int64), np.full(3, math.nan)):
        with pytest.raises(InvalidValueError, match="remembers 3 numbers, none of them NaN"):
            restored_memory(controller, wrong)
    for value in (0.0, -1.0, math.inf):
        with pytest.raises(InvalidValueError, match="must be finite and above 0"):
            restored_memory(EntropyTarget(0.5), np.array([value]))


def test_labels_name_the_aim():
    labels = [c.label(str) for c in (EntropyTarget(0.5), GradientBalance(1.0), Plateau(30.0))]
    assert labels == ["entropy:0.5", "balance:1.0", "plateau:30.0x0.5"]
    assert list(CONTROLLERS) == ["entropy", "balance", "plateau"]
