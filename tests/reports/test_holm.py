"""Holm's correction, worked out by hand and by its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qhn.reports.holm import holm


def test_four_tests_worked_out_by_hand():
    # In order 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 · 1, which is raised to the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_it_never_exceeds_one_and_keeps_single_tests():
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_tests_that_were_not_made_do_not_count():
    found = holm([0.01, math.nan, 0.03])
    assert math.isnan(found[1])
    assert (found[0], found[2]) == pytest.approx((0.02, 0.03))


def test_it_rejects_what_the_step_down_procedure_rejects(monkeypatch):
    # Statsmodels collects garbage in each call, which takes forty milliseconds.
    monkeypatch.setattr("gc.collect", lambda: 0)
    rng = np.random.default_rng(2)
    for _ in range(200):
        p = rng.uniform(0.0, 0.1, 6)
        order = np.argsort(p)
        passed = p[order] <= 0.05 / np.arange(6, 0, -1)
        first_failure = 6 if passed.all() else int(np.argmin(passed))
        expected = set(order[:first_failure].tolist())
        assert {i for i, value in enumerate(holm(list(p))) if value <= 0.05} == expected
