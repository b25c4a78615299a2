"""What a machine cannot hold is named by its line; what it can hold in some order is arranged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.sweeps.planning.arrangement import arrange, fits
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.memory import memory_of, shared_bytes, stored_bytes
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.planning.preflight import preflight
from qhn.sweeps.spec import InvalidSpecError, parse_spec

GIB = 2**30


def sweep(**changes):
    entries = {"name": "x", "datasets": "[moons]", "objectives": "[mle]", "seeds": "2", **changes}
    return "\n".join(f"{key}: {value}" for key, value in entries.items())


def trials_of(**changes):
    return make_plan(parse_spec(sweep(**changes))).trials


def check(memory_bytes=8 * GIB, object_store_bytes=None, **changes):
    machine = Machine(memory_bytes, object_store_bytes)
    return preflight(trials_of(**changes), machine, sweep(**changes), "many.yaml")


def refusals(**changes):
    with pytest.raises(InvalidSpecError) as caught:
        check(**changes)
    header, *lines = str(caught.value).splitlines()
    assert header.startswith("many.yaml has ")
    return [line.strip() for line in lines]


def refusal(**changes):
    (line,) = refusals(**changes)
    return line


def test_a_network_that_does_not_fit_in_memory_is_refused_with_the_memory_it_needs():
    line = refusal(networks="[{hidden: 7}]")
    assert line.startswith("line 5: networks[0]: mlp with hidden=7 on moons takes 30 qubits and ")
    assert line.endswith("GiB of memory, but 8 GiB are available; use fewer hidden units")
    assert check(networks="[{hidden: 3}]")


def test_less_memory_allows_fewer_qubits():
    assert check(networks="[{hidden: 5}]")
    assert "22 qubits" in refusal(networks="[{hidden: 5}]", memory_bytes=GIB // 4)


def test_an_mlp_on_digits_is_sent_to_logistic():
    line = refusal(datasets="[moons, digits]")
    assert line.startswith("line 2: datasets[1]: mlp with hidden=3 on digits takes 56 qubits and ")
    assert line.endswith("use kind: logistic")
    assert "100 EiB" in refusal(datasets="[digits]", networks="[{hidden: 4}]")


def test_points_are_blamed_where_they_take_the_memory():
    line = refusal(datasets="[moons, {name: ring, train: 100000000}]", networks="[{hidden: 1}]")
    assert line.startswith("line 2: datasets[1].train: mlp with hidden=1 on ring takes 6 qubits")
    assert "most of it for 100,000,000 training and 1,000 test points, but 8 GiB are" in line
    assert line.endswith("use fewer points")
    many_tests = refusal(datasets="{name: ring, test: 100000000}")
    assert many_tests.startswith("line 2: datasets.test: ")


def test_layers_are_blamed_where_they_take_the_memory():
    line = refusal(
        networks="[{hidden: 4}]", ansatze="[chain, {depth: 10000}]", memory_bytes=GIB // 8
    )
    assert line.startswith("line 6: ansatze[1].depth: mlp with hidden=4 on moons takes 18 qubits")
    assert "most of it for 10,000 layers" in line
    assert line.endswith("use fewer layers")


def test_everything_that_is_too_large_is_told_at_once():
    lines = refusals(
        datasets="[moons, {name: ring, train: 100000000}]", networks="[{hidden: 7}, logistic]"
    )
    assert [line.partition(": mlp")[0].partition(": logistic")[0] for line in lines] == [
        "line 2: datasets[1].train",
        "line 5: networks[0]",
        "line 5: networks[0]",
    ]


def test_rays_object_store_is_a_limit_of_its_own():
    changes = {"datasets": "{name: moons, train: 9, test: 9}", "networks": "[{hidden: 5}]"}
    [trial] = trials_of(seeds="1", **changes)
    stored = stored_bytes(trial.config.dataset, trial.config.network)
    assert check(seeds="1", object_store_bytes=stored, **changes) == (trial,)
    line = refusal(seeds="1", object_store_bytes=stored - 1, **changes)
    assert line.startswith("line 5: networks[0]: mlp with hidden=5 on moons takes 22 qubits and ")
    assert "of Ray's object store, but " in line
    assert line.endswith(" are available there; use fewer hidden units")
    points = refusal(
        datasets="{name: ring, train: 1000000}", networks="[{hidden: 1}]", object_store_bytes=2**20
    )
    assert points.startswith("line 2: datasets.train: mlp with hidden=1 on ring takes 6 qubits and")
    assert points.endswith("use fewer points")


def test_shots_that_do_not_fit_are_named_with_their_device():
    devices = "[exact, {name: exact, shots: 100}, exact:10000000]"
    line = refusal(memory_bytes=4 * GIB, devices=devices)
    assert line.startswith("line 5: devices[2]: mlp with hidden=3 on moons takes 14 qubits and ")
    assert "most of it for the samples of exact shots=10000000, but 4 GiB are available" in line
    assert line.endswith("; use fewer shots")
    # Two circuits a step take less memory than 85.
    assert check(4 * GIB, devices="[{name: exact, shots: 10000000, estimator: spsa}]")


MANY = f"[{', '.join(f'{{name: moons, seed: {seed}}}' for seed in range(12))}]"


def one_problem(**changes):
    """Memory of a sweep of one data set."""
    memory = memory_of(trial.config for trial in trials_of(datasets="[moons]", **changes))
    return memory.shared + memory.trial


def test_seeds_stay_outermost_where_all_tables_fit():
    trials = trials_of(datasets=MANY, networks="[{hidden: 4}]")
    assert check(datasets=MANY, networks="[{hidden: 4}]") == trials


@pytest.mark.parametrize("short_of", ["memory", "object store"])
def test_problems_come_one_after_the_other_where_only_one_fits(short_of):
    changes = {"datasets": MANY, "networks": "[{hidden: 4}]"}
    trials = trials_of(**changes)
    config = trials[0].config
    stored = stored_bytes(config.dataset, config.network)
    limits = {
        "memory": {"memory_bytes": one_problem(networks="[{hidden: 4}]")},
        "object store": {"object_store_bytes": stored},
    }[short_of]
    arranged = check(**limits, **changes)
    assert sorted(t.trial_id for t in arranged) == sorted(t.trial_id for t in trials)
    problems = [trial.config.dataset.seed for trial in arranged]
    assert problems == sorted(problems)
    assert [trial.config.seed for trial in arranged] == [0, 1] * 12


def test_one_byte_less_than_one_problem_takes_is_refused():
    needed = one_problem(networks="[{hidden: 4}]")
    changes = {"datasets": MANY, "networks": "[{hidden: 4}]"}
    line = refusal(memory_bytes=needed - 1, **changes)
    # One line for all twelve data sets, since they are of one shape.
    assert line.startswith("line 2: datasets[0]: mlp with hidden=4 on moons takes 18 qubits and ")


def test_trials_that_overlap_need_the_tables_of_both():
    trials = trials_of(datasets="[moons, ring]", seeds="1")
    config = trials[0].config
    memory = memory_of(trial.config for trial in trials)
    table = shared_bytes(config.dataset, config.network)
    assert memory.shared == table
    machine = Machine(memory.trial + table)
    assert fits(trials, machine)
    assert not fits(trials, machine, alive=2)
    assert fits(trials, Machine(memory.trial + 2 * table), alive=2)


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(["moons", "ring", "gaussian"]), min_size=1, unique=True),
    st.lists(st.sampled_from(["logistic", "{hidden: 1}", "{hidden: 2}"]), min_size=1, unique=True),
    st.integers(1, 3),
    st.floats(0.3, 4.0),
)
def test_arranging_keeps_every_trial_and_never_needs_more(datasets, networks, seeds, share):
    trials = trials_of(
        datasets=f"[{', '.join(datasets)}]", networks=f"[{', '.join(networks)}]", seeds=str(seeds)
    )
    before = memory_of(trial.config for trial in trials)
    machine = Machine(int(share * (before.shared + before.trial)))
    arranged = arrange(trials, machine)
    assert set(arranged) == set(trials)
    assert len(arranged) == len(trials)
    after = memory_of(trial.config for trial in arranged)
    if fits(trials, machine):
        assert arranged == trials
    else:
        largest = max(shared_bytes(t.config.dataset, t.config.network) for t in trials)
        assert after.shared == largest <= before.shared
        # Trials of one problem keep the order of their seeds.
        for problem in {t.config.problem_key for t in trials}:
            in_order = [t for t in trials if t.config.problem_key == problem]
            assert [t for t in arranged if t.config.problem_key == problem] == in_order


def test_an_empty_sweep_needs_nothing():
    assert preflight((), Machine(0, 0), sweep(), "x") == ()
