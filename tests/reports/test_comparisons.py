"""All comparisons of a sweep, from its rows."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.core.errors import InvalidValueError
from qhn.reports.comparisons import compare_groups
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.table import Row, make_rows
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult

METRIC = "test_accuracy_expected"


def finished(trial, value: float | None) -> TrialResult:
    return TrialResult(
        trial_id=trial.trial_id,
        status="finished",
        steps=250,
        metrics={"nll": 1.0} if value is None else {METRIC: value},
        flags={},
        top_strings=(),
        training_seconds=1.0,
        started_ms=0,
        finished_ms=1000,
    )


def rows(text: str, value) -> list[Row]:
    """The rows of a sweep in which each trial has ``value(config)``, or no result for False."""
    trials = make_plan(parse_spec(text)).trials
    values = {trial: value(trial.config) for trial in trials}
    results = {
        trial.trial_id: finished(trial, found)
        for trial, found in values.items()
        if found is not False
    }
    return make_rows(trials, results, {})


def accuracy(config) -> float:
    """ELBO is 0.02 better than MLE on each task, in a way that depends on task and seed."""
    rng = np.random.default_rng([config.dataset.seed, config.seed])
    gain = 0.02 if config.objective.name == "elbo" else 0.0
    return 0.8 + 0.001 * config.dataset.seed + gain * rng.uniform(0.9, 1.1) * (1 + config.seed)


TASKS = ", ".join(f"{{name: moons, seed: {seed}}}" for seed in range(8))
OBJECTIVES = "[mle, {name: elbo, lambda: [0.1, 1]}]"


def test_each_group_is_compared_with_mle_over_its_tasks():
    found = compare_groups(
        rows(f"{{name: x, datasets: [{TASKS}], objectives: {OBJECTIVES}, seeds: 3}}", accuracy)
    )
    assert [
        (one.subject.dataset, one.subject.group, one.subject.baseline, one.quantity)
        for one in found.comparisons
    ] == [
        ("moons", f"elbo lambda={lambda_}", "mle", quantity)
        for lambda_ in ("0.1", "1")
        for quantity in ("mean", "deviation")
    ]
    for one in found.comparisons:
        assert one.tasks == tuple(f"moons data-seed={seed}" for seed in range(8))
        assert one.seeds == (3,) * 8
        # Eight positive differences: p = 2 / 2^8, and four tests.
        assert (one.p, one.p_holm) == (pytest.approx(2 / 256), pytest.approx(8 / 256))
        assert one.verdict == "higher"
    assert found.not_compared == ()


def test_the_baseline_has_all_other_settings_in_common():
    found = compare_groups(
        rows(
            "{name: x, datasets: [moons, ring], objectives: [mle, {name: elbo, lambda: 1}], "
            "seeds: 2, ansatze: [{depth: 1}, {depth: 2}]}",
            accuracy,
        )
    )
    named = {
        (one.subject.dataset, one.subject.group, one.subject.baseline) for one in found.comparisons
    }
    assert named == {
        (dataset, f"depth={depth} elbo lambda=1", f"depth={depth} mle")
        for dataset in ("moons", "ring")
        for depth in (1, 2)
    }
    assert {one.unit for one in found.comparisons} == {"seed"}


def test_another_baseline():
    found = compare_groups(
        rows(f"{{name: x, datasets: moons, objectives: {OBJECTIVES}, seeds: 3}}", accuracy),
        baseline="elbo lambda=1",
    )
    groups = [one.subject.group for one in found.comparisons if one.quantity == "mean"]
    assert groups == ["mle", "elbo lambda=0.1"]


def test_data_sets_with_different_noise_are_told_apart():
    found = compare_groups(
        rows(
            "{name: x, datasets: [{name: moons, noise: 0.1}, {name: moons, noise: 0.3}], "
            "objectives: [mle, {name: elbo, lambda: 1}], seeds: 2}",
            accuracy,
        )
    )
    assert {one.subject.dataset for one in found.comparisons} == {
        f"moons train=100 test=1000 noise={noise}" for noise in (0.1, 0.3)
    }


def test_what_has_no_baseline_or_no_values_is_named():
    text = f"{{name: x, datasets: moons, objectives: {OBJECTIVES}, seeds: 3}}"

    def some(config):
        if config.objective.name == "mle":
            return False if config.seed == 2 else 0.8
        return None if config.objective.lambda_.value == 1 else 0.9

    found = compare_groups(rows(text, some))
    assert found.not_compared == (("moons", "elbo lambda=1"),)
    assert [one.seeds for one in found.comparisons] == [(2,), (2,)]
    alone = compare_groups(
        rows("{name: x, datasets: moons, objectives: {name: elbo, lambda: 1}, seeds: 2}", accuracy)
    )
    assert (alone.comparisons, alone.not_compared) == ((), (("moons", "elbo lambda=1"),))


def test_mistakes():
    found = rows(f"{{name: x, datasets: moons, objectives: {OBJECTIVES}, seeds: 3}}", accuracy)
    with pytest.raises(InvalidValueError, match=r"elbo lambda=0\.1, .* but got 'elbo'"):
        compare_groups(found, baseline="elbo")
    with pytest.raises(InvalidValueError, match="the metric must be one of"):
        compare_groups(found, "accuracy")


def test_no_data_set_is_lost_for_having_the_name_and_sizes_of_another():
    pair = "{name: digits, train: 9, test: 9, classes: [3, %d]}"
    noisy = "{name: moons, label_noise: %s}"
    entries = ", ".join([pair % 8, pair % 5, noisy % 0.1, noisy % 0.2, "moons"])
    text = f"{{name: x, datasets: [{entries}], objectives: {OBJECTIVES}, seeds: 2}}"
    found = compare_groups(rows(text, accuracy))
    assert len({one.subject.dataset for one in found.comparisons}) == 5
