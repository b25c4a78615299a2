from __future__ import annotations

import pytest

from qhn.sweeps.planning.cost import Cost, Rate, cost_class, estimate, measure
from qhn.sweeps.planning.memory import Memory
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec


def configs(**changes):
    entries = {"name": "x", "datasets": "[moons]", "objectives": "[mle]", "seeds": "2", **changes}
    text = "\n".join(f"{key}: {value}" for key, value in entries.items())
    return [trial.config for trial in make_plan(parse_spec(text)).trials]


def test_nothing_left_costs_nothing():
    assert estimate([]) == Cost(training_seconds=0, memory=Memory(trial=0, shared=0))


def test_finished_trials_are_believed():
    left = configs(training="{steps: 100}", seeds="6")
    done = [(config, 5.0) for config in configs(training="{steps: 50}", seeds="2")]
    # Trials of 100 steps take twice as long as those of 50.
    assert estimate(left, done, budget_s=0).training_seconds == pytest.approx(6 * 10.0)


def test_cost_depends_on_the_shape_not_on_the_values():
    one, other = configs(datasets="[moons, ring]", seeds="1")
    assert cost_class(one) == cost_class(other)
    deeper = configs(ansatze="[{depth: 3}]", seeds="1")[0]
    assert cost_class(deeper) != cost_class(one)
    # A controller may need gradients of its own, and each kernel of a sum takes a pass.
    lambdas, widths = "[1, {schedule: balance, ratio: 1}]", "[1, {sum: [1, 2]}]"
    text = f"[{{name: selbo, lambda: {lambdas}, bandwidth: {widths}}}]"
    assert len({cost_class(c) for c in configs(objectives=text, seeds="1")}) == 4


@pytest.mark.parametrize("budget_s", [0.0, 0.2])
def test_measuring_gives_a_time_whatever_the_budget(budget_s):
    few = configs(seeds="4", training="{steps: 50}")
    assert estimate(few, budget_s=budget_s).training_seconds > 0


def test_more_steps_and_reports_take_longer(monkeypatch):
    rate = Rate(step_s=0.25, report_s=8.0)
    monkeypatch.setattr("qhn.sweeps.planning.cost.measure", lambda config, budget_s: rate)
    [trial] = configs(training="{steps: 25, report_every: 10}", seeds="1")
    # Reports at steps 0, 10, 20 and 25.
    assert estimate([trial]).training_seconds == 25 * 0.25 + 4 * 8.0


def test_classes_without_time_left_are_scaled():
    objectives = "[mle, {name: elbo, lambda: 1}, {name: selbo, lambda: 1}]"
    found = estimate(configs(objectives=objectives, networks="[logistic, mlp]"), budget_s=0.0)
    assert found.training_seconds > 0


def test_deep_circuits_are_scaled_from_some_of_their_layers(monkeypatch):
    timed = []

    def a_second_per_layer(trainer):
        timed.append(trainer.ansatz.depth)
        return float(trainer.ansatz.depth)

    monkeypatch.setattr("qhn.sweeps.planning.cost._seconds", a_second_per_layer)
    [deep] = configs(ansatze="{depth: 10000}", seeds="1")
    rate = measure(deep, budget_s=0.0)
    assert set(timed) == {256}
    assert (rate.step_s, rate.report_s) == (pytest.approx(10000), 0)


def test_circuits_and_samples_count_as_work():
    devices = "[exact, exact:100, {name: exact, shots: 100, estimator: spsa}, exact:1000]"
    exact, shift, spsa, more = (cost_class(c) for c in configs(devices=devices, seeds="1"))
    assert exact.work == 2 << 14
    assert exact.work < spsa.work < shift.work < more.work
    assert shift.work / spsa.work == 85 / 2


def test_of_many_shots_and_layers_some_are_timed_and_scaled(monkeypatch):
    timed = []

    def a_second_for_each_circuit(trainer):
        timed.append(trainer.ansatz.depth)
        return 1.0

    monkeypatch.setattr("qhn.sweeps.planning.cost._seconds", a_second_for_each_circuit)
    [trial] = configs(ansatze="{depth: 100}", devices="[exact:10000000]", seeds="1")
    rate = measure(trial, budget_s=0.0)
    assert set(timed) == {2}
    # 5,573 circuits instead of 85, each with 100 layers instead of 2 and 10^7 shots, not 3,084.
    work = (5573 * ((100 << 14) + 16 * 10**7)) / (85 * ((2 << 14) + 16 * 3084))
    assert rate.step_s == pytest.approx(work)


def test_a_device_that_samples_is_timed_as_it_trains():
    [trial] = configs(devices="[exact:64]", networks="[{hidden: 1}]", seeds="1")
    # 37 circuits take longer than one pass and its reverse.
    [plain] = configs(networks="[{hidden: 1}]", seeds="1")
    assert measure(trial, budget_s=0.1).step_s > measure(plain, budget_s=0.1).step_s


def test_values_that_overflow_are_not_the_reader_s_business(recwarn):
    [trial] = configs(
        objectives="[{name: elbo, lambda: 1.0e+308}]",
        training="{learning_rate: 1.0e+308}",
        seeds="1",
    )
    measure(trial, budget_s=0.05)
    assert not recwarn.list
