"""Sweeps with data seeds: the same groups on several tasks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhn.core.errors import SpecError
from qhn.sweeps.planning.factors import factor_table
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.tracking.names import group_names

TEXT = "{name: t, datasets: %s, objectives: [mle, {name: elbo, lambda: [1, 3]}], seeds: 2%s}"


def planned(data_seeds=None, datasets="[moons, ring]", more=""):
    extra = "" if data_seeds is None else f", data_seeds: {data_seeds}"
    return make_plan(parse_spec(TEXT % (datasets, extra + more)))


def keys(plan):
    return [(t.config.seed, t.config.dataset.seed, t.group) for t in plan.trials]


def test_every_group_is_trained_on_every_task_seeds_outermost():
    today, tasks = planned(), planned("3")
    assert len(today.groups) == len(tasks.groups) == 6
    assert list(tasks.groups.values()) == list(today.groups.values())
    assert keys(tasks) == [
        (seed, data, group)
        for seed in (0, 1)
        for data in (0, 1, 2)
        for group in today.groups.values()
    ]
    assert (today.over_tasks, tasks.over_tasks) == (False, True)
    assert tasks.trials[6].label == "moons mle data-seed=1 seed=0"


def test_the_trials_with_data_seed_0_are_those_of_a_sweep_without():
    today, tasks = planned(), planned("3")
    ids = [trial.trial_id for trial in tasks.trials if trial.data_seed == 0]
    assert ids == [trial.trial_id for trial in today.trials]
    assert all(trial.trial_id == trial.config.trial_id for trial in tasks.trials)
    # Their groups are others, because statistics over tasks are.
    assert not set(today.groups) & set(tasks.groups)
    assert {t.data_seed for t in today.trials} == {None}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_more_data_seeds_only_add_trials(seeds):
    plan, longer = planned(str(seeds)), planned(str([*seeds, 51]))
    assert {t.trial_id for t in plan.trials} < {t.trial_id for t in longer.trials}
    assert plan.groups == longer.groups
    assert len(plan.trials) == 12 * len(set(seeds))
    assert plan.duplicates == 12 * (len(seeds) - len(set(seeds)))


def test_the_seed_of_the_data_is_no_setting_of_a_group():
    plan = planned("{first: 4, count: 2}")
    table = factor_table(plan.group_configs, over_tasks=plan.over_tasks)
    assert "data seed" not in {*table.shared, *table.titles}
    assert all("data-seed" not in name for name in (*group_names(plan).values(), *plan.groups))
    assert {t.config.dataset.seed for t in plan.trials} == {4, 5}


def test_early_stopping_keeps_former_ids_and_start_from_keeps_parents():
    plan = planned("2", more=", early_stopping: asha")
    for trial in plan.trials:
        assert trial.former_id == trial.config.former_id(plan.early_stopping)
    text = (
        "{name: s, datasets: moons, objectives: mle, seeds: 2, data_seeds: 2, "
        "networks: [{hidden: 1}], devices: [{name: rehearsal, shots: 16}], "
        "start_from: {device: exact, steps: 5}}"
    )
    children = [t for t in make_plan(parse_spec(text)).trials if t.parent is not None]
    assert len(children) == 4
    assert all(t.parent == t.config.parent.trial_id for t in children)


def test_a_spec_with_data_seeds_parses_again():
    spec = parse_spec(TEXT % ("[moons, {name: ring, train: 50}]", ", data_seeds: [1, 1, 2]"))
    again = parse_spec(json.dumps(spec.content()))
    assert make_plan(again) == make_plan(spec)


def test_seeds_of_data_sets_beside_data_seeds_are_refused_with_all_other_mistakes():
    datasets = "[moons, {name: ring, seed: 3}, {name: gaussian, seed: 0, trian: 5}]"
    with pytest.raises(SpecError) as caught:
        parse_spec(TEXT % (datasets, ", data_seeds: 2"))
    text = str(caught.value)
    assert "datasets[1].seed: with data_seeds every data set is drawn from each of these" in text
    assert "datasets[2].seed" in text and "trian" in text
    with pytest.raises(SpecError, match="data_seeds: must be a whole number, a list of them, or"):
        parse_spec(TEXT % ("moons", ", data_seeds: many"))
    with pytest.raises(SpecError, match=r"asks for 6,000,000 trials"):
        parse_spec(TEXT % ("moons", ", data_seeds: 1000000"))
