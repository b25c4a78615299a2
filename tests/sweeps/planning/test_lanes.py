"""Lanes of queued devices in plans: defaults, what a file says, and which trials are in them."""

from __future__ import annotations

import pytest
from queued_examples import PROVIDER, Oracle, OracleAccess

from qhn.core.errors import InvalidValueError
from qhn.devices import DEVICES
from qhn.lanes import Budget, Limits, Prices
from qhn.sweeps.planning.lanes import executions_of_step
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec


@pytest.fixture(autouse=True)
def oracle(monkeypatch):
    monkeypatch.setitem(DEVICES, "oracle", Oracle)


def plan(devices, lanes="{}", **changes):
    entries = {
        "name": "x",
        "datasets": "moons",
        "networks": "{hidden: 1}",
        "objectives": "mle",
        "seeds": "2",
        "devices": devices,
        "lanes": lanes,
        **changes,
    }
    return make_plan(parse_spec("\n".join(f"{k}: {v}" for k, v in entries.items())))


def test_a_device_that_no_lane_names_has_one_with_defaults():
    found = plan("[exact, oracle]")
    (lane,) = found.lanes
    assert (lane.name, lane.labels, lane.queue) == ("oracle", ("oracle",), "oracle-oracle")
    assert lane.provider == PROVIDER
    # A step has 37 circuits of 100 shots, so eight of them are 29,600 executions: a job takes
    # 2 + 2.96 s, and 8 s in the queue want four jobs in flight, of which the provider takes three.
    assert lane.limits == Limits(
        jobs_in_flight=3, submissions_per_minute=5, requests_per_job=8, term_s=60.0
    )
    assert lane.live_trials == 24
    assert lane.budget is None
    assert lane.prices == Prices(second=1.6)


def test_a_minute_of_a_provider_that_is_sped_up_is_shorter():
    (lane,) = plan("[{name: rehearsal, speedup: 120}]").lanes
    assert (lane.limits.submissions_per_minute, lane.limits.minute_s) == (5, 0.5)


def test_trials_know_their_lane_and_simulated_ones_have_none():
    found = plan("[exact, oracle]")
    assert [(t.config.device.name, t.lane, t.device_label) for t in found.trials] == [
        ("exact", None, None), ("oracle", "oracle", "oracle")
    ] * 2  # fmt: skip
    assert found.lane("oracle") is found.lanes[0]
    with pytest.raises(InvalidValueError, match="a lane must be one of oracle, but got 'qpu'"):
        found.lane("qpu")
    assert plan("exact").lanes == ()


def test_what_a_file_says_about_a_lane():
    (lane,) = plan(
        "[{name: oracle, region: eu, label: a}, {name: oracle, shots: 7, region: eu, label: b}]",
        """
  main:
    devices: [a, b]
    jobs_in_flight: 2
    submissions_per_minute: 3
    requests_per_job: 4
    live_trials: 5
    budget: {shots: 1000, cost: 2, per: trial}
    prices: {job: 0.3, shot: 0.01}
    when_spent: wait""",
    ).lanes
    assert (lane.name, lane.labels, lane.queue) == ("main", ("a", "b"), "oracle-eu")
    assert lane.limits == Limits(2, 3, 4)
    assert lane.live_trials == 5
    assert lane.budget == Budget(shots=1000, cost=2.0, per="trial", when_spent="wait")
    assert lane.prices == Prices(job=0.3, shot=0.01)


def test_devices_that_no_lane_names_share_one_if_they_share_a_queue():
    devices = "[oracle, {name: oracle, shots: 7}, {name: oracle, label: other}]"
    found = plan(devices)
    assert [(lane.name, lane.queue) for lane in found.lanes] == [
        ("oracle", "oracle-oracle"), ("other", "oracle-other")
    ]  # fmt: skip
    # The third differs from the first only by its label. Their trials are planned once.
    assert [(t.config.device.title, t.lane) for t in found.trials[:2]] == [
        ("oracle", "oracle"), ("oracle shots=7", "oracle")
    ]  # fmt: skip
    assert (len(found.trials), found.duplicates) == (4, 2)


def test_the_lane_of_a_device_never_has_the_name_of_another_lane():
    lanes = "{oracle: {devices: qpu}}"
    found = plan("[{name: oracle, label: qpu, shots: 3}, oracle]", lanes)
    assert [(lane.name, lane.labels) for lane in found.lanes] == [
        ("oracle", ("qpu",)), ("oracle-oracle", ("oracle",))
    ]  # fmt: skip


def test_labels_settings_and_lanes_change_no_trial():
    plain = plan("[oracle]")
    other = plan(
        "[{name: oracle, region: eu, plan: paid, label: qpu-a}]",
        "{slow: {devices: qpu-a, jobs_in_flight: 1, budget: {cost: 3}}}",
    )
    assert [t.trial_id for t in other.trials] == [t.trial_id for t in plain.trials]
    assert [t.group for t in other.trials] == [t.group for t in plain.trials]
    assert plain.trials[0].config.content()["device"] == {"name": "oracle", "shots": 100}


def test_a_provider_without_limits_takes_steps_one_by_one():
    (lane,) = plan("[{name: oracle, plan: single}]").lanes
    # There is no waiting at the provider: one job executes while another is on its way.
    assert lane.limits == Limits(jobs_in_flight=2, submissions_per_minute=None, requests_per_job=1)
    assert lane.live_trials == 4
    assert lane.prices == Prices(job=0.3, shot=0.01)


def test_a_job_never_has_more_executions_than_the_provider_takes():
    (lane,) = plan("[{name: oracle, shots: 9000}]").lanes
    # 37 circuits of 9,000 shots are 333,000 executions, of which a million has room for three.
    assert lane.limits.requests_per_job == 3


def test_executions_of_a_step():
    (shift, spsa) = plan("[oracle, {name: oracle, estimator: spsa}]", seeds="1").trials
    assert executions_of_step(shift.config) == 37 * 100
    assert executions_of_step(spsa.config) == 3 * 100


def test_a_ticket_has_all_that_a_trial_needs():
    found = plan("[{name: oracle, region: eu, label: a}]", "{q: {devices: a, budget: {shots: 9}}}")
    (lane,) = found.lanes
    ticket = lane.ticket("a", store="/s", sweep=found.name, folder="/s/files")
    assert (ticket.lane, ticket.queue, ticket.store, ticket.sweep) == ("q", "oracle-eu", "/s", "x")
    assert (ticket.limits, ticket.budget) == (lane.limits, Budget(shots=9))
    assert (ticket.job_s, ticket.execution_s) == (2.0, 0.0001)
    assert OracleAccess(**ticket.access) == OracleAccess(region="eu")
