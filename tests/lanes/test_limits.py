"""Limits, budgets, prices and amounts: what they refuse, and what they come to."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhn.core.errors import InvalidValueError
from qhn.lanes.amounts import Usage, total
from qhn.lanes.limits import Budget, Limits, Prices, jobs_to_keep_in_flight, live_trials

usages = st.builds(Usage, st.integers(0, 10**9), st.floats(0, 1e6), st.floats(0, 1e6))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limits(jobs_in_flight=0), "jobs_in_flight >= 1"),
        (lambda: Limits(jobs_in_flight=1.5), "whole number"),
        (lambda: Limits(submissions_per_minute=0), "submissions_per_minute >= 1"),
        (lambda: Limits(requests_per_job=0), "requests_per_job >= 1"),
        (lambda: Limits(term_s=0), "term_s > 0"),
        (lambda: Limits(term_s=math.nan), "term_s > 0"),
        (lambda: Limits(minute_s=0), "minute_s > 0"),
        (lambda: Budget(), "shots, qpu_seconds or cost"),
        (lambda: Budget(shots=0), "shots >= 1"),
        (lambda: Budget(qpu_seconds=-1), "qpu_seconds > 0"),
        (lambda: Budget(cost=True), "cost > 0"),
        (lambda: Budget(cost=1, per="day"), "per must be one of sweep, trial"),
        (lambda: Budget(cost=1, when_spent="stop"), "when_spent must be one of finish, wait"),
        (lambda: Prices(shot=-0.1), "shot >= 0"),
        (lambda: Usage(shots=-1), "shots >= 0"),
        (lambda: Usage(shots=1.0), "whole number"),
        (lambda: Usage(qpu_seconds=math.inf), "qpu_seconds >= 0"),
        (lambda: Usage(cost=-1e-12), "cost >= 0"),
        (lambda: jobs_to_keep_in_flight(1, 0), "execution_s > 0"),
        (lambda: live_trials(0), "jobs_in_flight >= 1"),
    ],
)
def test_a_value_out_of_its_range_is_refused_in_words(make, message):
    with pytest.raises(InvalidValueError, match=message):
        make()


def test_a_job_costs_the_sum_of_its_parts_and_at_least_the_minimum():
    prices = Prices(job=0.3, shot=0.01, second=1.6, minimum=2.0)
    assert prices.of(shots=100, qpu_seconds=4.0) == pytest.approx(0.3 + 1.0 + 6.4)
    assert prices.of(shots=1, qpu_seconds=0.0) == 2.0
    assert Prices().of(shots=10**6, qpu_seconds=1e6) == 0.0


def test_a_budget_limits_only_what_it_names():
    budget = Budget(qpu_seconds=10.0)
    assert budget.allows(Usage(shots=10**9, qpu_seconds=10.0, cost=1e9))
    assert not budget.allows(Usage(qpu_seconds=10.001))
    assert budget.allows(total([Usage(1, 0.1)] * 100))  # 0.1 a hundred times is above 10 a little
    assert not Budget(shots=5).allows(Usage(6))
    assert not Budget(cost=5).allows(Usage(cost=5.01))


def test_jobs_in_flight_bridge_the_queue():
    assert [jobs_to_keep_in_flight(q, 2.0) for q in (0, 5, 20, 60)] == [2, 5, 12, 32]
    assert jobs_to_keep_in_flight(60, 2.0, most=3) == 3
    assert live_trials(3) == 6


@given(usages, st.lists(usages, min_size=1, max_size=6))
def test_what_is_divided_is_whole_again(used, wanted):
    parts = used.divide(wanted)
    assert len(parts) == len(wanted)
    assert total(parts).shots == used.shots
    assert total(parts).qpu_seconds == pytest.approx(used.qpu_seconds)
    assert total(parts).cost == pytest.approx(used.cost)


def test_who_wanted_more_bears_more():
    parts = Usage(8, 8.0, 4.0).divide([Usage(1, 1.0), Usage(3, 3.0)])
    assert parts == (Usage(2, 2.0, 1.0), Usage(6, 6.0, 3.0))
