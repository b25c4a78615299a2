"""Choosing on some tasks and judging on others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from score_examples import scores

from qhn.core.errors import InvalidValueError
from qhn.reports.choice import choose

SETTINGS = {
    "weak": {"a": {0: 0.7, 1: 0.9}, "b": {0: 0.6}, "c": {0: 0.9, 1: 0.9}},
    "strong": {"a": {0: 0.9, 1: 0.9}, "b": {0: 0.5}, "c": {0: 0.1, 1: 0.2}},
}


def test_the_best_on_some_tasks_is_judged_on_others():
    found = choose(SETTINGS, ["a"], ["b", "c"])
    assert (found.label, found.score) == ("strong", pytest.approx(0.9))
    assert found.scores == {"b": {0: 0.5}, "c": {0: 0.1, 1: 0.2}}
    assert (found.chosen_on, found.judged_on) == (("a",), ("b", "c"))
    assert not found.chosen_here


def test_each_task_counts_the_same():
    # The task means of weak are 0.8 and 0.6, those of strong 0.9 and 0.5: as good. The first wins.
    found = choose(SETTINGS, ["a", "b"], ["c"], better="up")
    assert found.score == pytest.approx(0.7)


def test_lower_may_be_better():
    assert choose(SETTINGS, ["c"], ["a"], better="down").label == "strong"
    assert choose(SETTINGS, ["c"], ["a"]).label == "weak"


def test_what_was_chosen_on_the_tasks_it_is_judged_on_is_marked():
    assert choose(SETTINGS, ["a", "b"], ["b", "c"]).chosen_here


def test_settings_without_all_tasks_or_with_odd_values_are_left_out():
    more = SETTINGS | {"late": {"b": {0: 1.0}}, "broken": {"a": {0: math.nan, 1: 1.0}}}
    found = choose(more, ["a"], ["b"])
    assert (found.label, found.left_out) == ("strong", ("late", "broken"))


def test_choosing_on_the_same_data_flatters_and_held_out_data_does_not():
    rng = np.random.default_rng(4)
    same, held_out = [], []
    tasks = [f"moons {task}" for task in range(10)]
    for _ in range(200):
        values = {f"s{k}": scores(rng.normal(0.0, 1.0, (10, 2))) for k in range(8)}
        for judge_on, into in ((tasks[:5], same), (tasks[5:], held_out)):
            judged = choose(values, tasks[:5], judge_on).scores
            into.append(np.mean([list(task.values()) for task in judged.values()]))
    # Each setting has the true mean 0. The mean over 5 · 2 values has a deviation of 0.32.
    assert abs(np.mean(held_out)) < 4 * 0.32 / math.sqrt(200)
    assert np.mean(same) > 0.32


@pytest.mark.parametrize(
    ("choose_on", "judge_on", "better", "message"),
    [
        ([], [], "neither", "choose_on must .* judge_on must .* a better direction"),
        (["z"], ["a"], "up", "none of 2 has them on z"),
        (["a"], ["z"], "up", "strong has none on z"),
    ],
)
def test_mistakes(choose_on, judge_on, better, message):
    with pytest.raises(InvalidValueError, match=message):
        choose(SETTINGS, choose_on, judge_on, better)
