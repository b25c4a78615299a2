"""The machine step by step: one rule per test, with a clock that the test moves."""

from dataclasses import replace

import pytest
from shell import ONE, Shell, request

from qhn.core.errors import InvalidValueError
from qhn.lanes.amounts import Usage
from qhn.lanes.events import (
    Acquire,
    Admit,
    Admitted,
    Denied,
    Gone,
    Grant,
    Lost,
    Orphaned,
    Over,
    Release,
    Renew,
    SetLimits,
    Settle,
    Submitted,
    Tick,
    Wake,
    Write,
)
from qhn.lanes.ledger import first_token
from qhn.lanes.limits import Limits
from qhn.lanes.machine import admits, step
from qhn.lanes.rebuild import rebuild
from qhn.lanes.recovery import Action, action_for
from qhn.lanes.state import State


def test_a_job_from_asking_to_settling():
    shell = Shell()
    token = shell.ask("a1")
    assert not shell.all(Write)  # nothing can have been paid for yet
    told = shell.tell(Admit(token))
    assert [type(i) for i in told] == [Write, Admitted, Wake]  # in the ledger before it is told
    assert shell.records["a1-0"].state == "reserved"
    shell.tell(Submitted(token, "job 1"))
    assert (shell.records["a1-0"].state, shell.records["a1-0"].job_id) == ("submitted", "job 1")
    shell.tell(Release(token, "done", Usage(10, 1.5, 0.75)))
    assert shell.records["a1-0"].state == "done"
    assert shell.state.accounts["a"].spent == Usage(10, 1.5, 0.75)
    assert shell.state.in_flight == 0
    assert not shell.all(Wake)  # nothing will happen by time alone
    assert shell.tell(Release(token, "done")) == (Denied(token),)


@pytest.mark.parametrize(
    ("outcome", "used", "spent"),
    [
        ("done", None, Usage(10, 2.0, 1.0)),
        ("failed", None, Usage()),
        ("failed", Usage(3, 0.5, 0.0), Usage(3, 0.5, 0.0)),
    ],
)
def test_without_the_providers_account_what_was_reserved_counts_for_what_is_done(
    outcome, used, spent
):
    shell = Shell()
    token = shell.start("a1", job_id="job 1")
    shell.tell(Release(token, outcome, used))
    assert shell.state.accounts["a"].spent == spent


def test_who_comes_first_is_served_first():
    shell = Shell()
    first = shell.ask("a1")
    assert [shell.ask(f"a{n}") for n in (2, 3)] == [None, None]
    shell.tell(Release(first, "unused"))
    assert [g.request.trial for g in shell.all(Grant)] == ["a2"]


def test_the_sweep_with_the_least_seconds_is_served_first():
    shell = Shell()
    long = shell.start("a1", seconds=10.0)
    for n in range(2, 9):
        shell.ask(f"a{n}", seconds=10.0)
    for n in range(9):
        shell.ask(f"b{n}", seconds=2.0)
    order = []
    token = long
    for _ in range(12):
        shell.tell(Admit(token))
        shell.tell(Release(token, "done"))
        (grant,) = shell.all(Grant)
        token = grant.lease.token
        order.append(grant.request.sweep)
    # Five jobs of 2 seconds for each of 10, until the sweep of short jobs has no more.
    assert "".join(order) == "bbbbbabbbbaa"


def test_a_newcomer_starts_where_the_others_are():
    shell = Shell()
    token = shell.start("a0")
    for number in range(1, 50):
        shell.ask("a0", number)
        shell.tell(Release(token, "done"))
        (grant,) = shell.all(Grant)
        token = grant.lease.token
        shell.tell(Admit(token))
    shell.ask("b0")
    shell.ask("b1")
    shell.ask("a1")
    # The sweep that came first has had 98 seconds; they are not held against it.
    order = []
    for _ in range(3):
        shell.tell(Release(token, "done"))
        (grant,) = shell.all(Grant)
        token = grant.lease.token
        shell.tell(Admit(token))
        order.append(grant.request.sweep)
    assert order == ["b", "b", "a"]
    assert shell.state.accounts["b"].head_start >= 96.0


def test_submissions_in_a_minute_are_counted_when_they_are_known_to_be_made():
    shell = Shell(Limits(jobs_in_flight=9, submissions_per_minute=2, term_s=600.0))
    first = shell.start("a1")
    shell.start("a2", job_id="job 2")  # at 1000
    assert shell.ask("a3") is None
    shell.time += 30.0
    shell.tell(Submitted(first, "job 1"))  # at 1030, although it was admitted at 1000
    assert shell.all(Wake)[0].at == 1060.0
    shell.let_go_by(29.9)
    assert not shell.all(Grant)
    shell.let_go_by(0.1)
    (grant,) = shell.all(Grant)  # a3
    assert shell.ask("a4") is None
    shell.tell(Renew(first))
    shell.let_go_by(29.9)
    assert not shell.all(Grant)
    # A lease that comes to nothing without being admitted was no submission.
    shell.tell(Release(grant.lease.token, "unused"))
    assert [g.request.trial for g in shell.all(Grant)] == ["a4"]


def test_a_minute_is_shorter_where_the_clock_of_a_provider_is_sped_up():
    shell = Shell(Limits(jobs_in_flight=9, submissions_per_minute=1, minute_s=0.5))
    shell.start("a1", job_id="job 1")  # at 1000
    assert shell.ask("a2") is None
    assert shell.all(Wake)[-1].at == 1000.5
    shell.let_go_by(0.5)
    assert len(shell.all(Grant)) == 1


def test_a_lease_that_is_not_renewed_admits_nobody():
    shell = Shell()
    token = shell.ask("a1")
    waits = request("a2")
    shell.time += 30.0
    shell.tell(Acquire(waits))
    assert admits(shell.state, token, 1059.9)
    assert not admits(shell.state, token, 1060.0)
    shell.time = 1060.0
    told = shell.tell(Admit(token))
    assert told[0] == Denied(token)
    assert [lost.lease.token for lost in shell.all(Lost)] == [token]
    (grant,) = shell.all(Grant)
    assert grant.request == waits
    assert grant.lease.token > token
    assert not shell.records


def test_a_lease_that_is_renewed_stays_and_so_does_a_wait_that_is_repeated():
    shell = Shell()
    token = shell.ask("a1")
    shell.ask("a2")
    shell.ask("a3")
    for _ in range(4):
        shell.time += 40.0
        shell.tell(Renew(token))
        shell.tell(Acquire(request("a3")))
    assert admits(shell.state, token, shell.time)
    assert [entry.request.trial for entry in shell.state.waiting.values()] == ["a3"]
    shell.tell(Release(token, "unused"))
    assert [g.request.trial for g in shell.all(Grant)] == ["a3"]


def test_an_answer_that_was_lost_is_repeated():
    shell = Shell()
    token = shell.ask("a1")
    assert shell.ask("a1") == token
    shell.tell(Admit(token))
    assert [type(i) for i in shell.tell(Admit(token))] == [Admitted, Wake]


def test_a_job_whose_holder_is_lost_keeps_its_place_until_its_end_is_known():
    shell = Shell()
    token = shell.start("a1", job_id="job 1")
    shell.ask("b1")
    shell.time += 59.0
    shell.tell(Acquire(request("b1")))
    shell.let_go_by(1.0)
    assert [lost.lease.token for lost in shell.all(Lost)] == [token]
    assert [o.lease.job_id for o in shell.all(Orphaned)] == ["job 1"]
    assert not shell.all(Grant)
    shell.time += 58.0
    shell.tell(Acquire(request("b1")))
    shell.let_go_by(2.0)
    assert shell.all(Orphaned)  # it is said again, since nobody has found out
    shell.tell(Settle("a1-0", "done", Usage(10, 1.0, 0.5)))
    assert [g.request.trial for g in shell.all(Grant)] == ["b1"]
    assert shell.state.accounts["a"].spent == Usage(10, 1.0, 0.5)


def test_a_trial_that_starts_again_takes_up_its_job():
    shell = Shell()
    token = shell.start("a1", job_id="job 1")
    shell.tell(Gone("a1.0"))
    again = request("a1", life=1, sweep="b", seconds=99.0)
    shell.tell(Acquire(again))
    (grant,) = shell.all(Grant)
    assert grant.lease.token > token
    assert (grant.lease.admitted, grant.lease.job_id) == (True, "job 1")
    # What was reserved, and for whom, stays what it was.
    assert grant.request == replace(request("a1"), holder="a1.1")
    assert shell.tell(Renew(token))[0] == Denied(token)
    shell.tell(Release(grant.lease.token, "done"))
    assert shell.state.accounts["a"].spent.qpu_seconds == 2.0


def test_taking_up_a_job_without_an_id_counts_as_a_submission():
    shell = Shell(Limits(jobs_in_flight=1, submissions_per_minute=1))
    shell.start("a1")
    shell.tell(Gone("a1.0"))
    assert shell.ask("a1", life=1) is None
    shell.time += 59.9
    assert shell.ask("a1", life=1) is None
    assert shell.state.orphans
    shell.let_go_by(0.1)
    assert [g.lease.admitted for g in shell.all(Grant)] == [True]


def test_a_holder_that_was_only_slow_goes_on():
    shell = Shell()
    token = shell.start("a1")
    shell.let_go_by(61.0)
    assert shell.state.orphans
    shell.tell(Submitted(token, "job 1"))
    assert not shell.state.orphans
    assert shell.records["a1-0"].job_id == "job 1"
    shell.tell(Release(token, "done"))
    assert shell.state.in_flight == 0


def test_a_step_is_never_paid_for_twice_at_once():
    shell = Shell(Limits(jobs_in_flight=5))
    token = shell.start("a1", job_id="job 1")
    assert shell.ask("a1", life=1) is None  # another process trains the same trial
    shell.tell(Release(token, "done"))
    assert [(o.request.holder, o.outcome, o.job_id) for o in shell.all(Over)] == [
        ("a1.1", "done", "job 1")
    ]
    assert not shell.state.waiting


def test_a_second_job_id_for_one_lease_is_not_believed():
    shell = Shell()
    token = shell.start("a1", job_id="job 1")
    assert shell.tell(Submitted(token, "job 2"))[0] == Denied(token)
    assert shell.records["a1-0"].job_id == "job 1"


class TestClock:
    def test_setting_it_back_ends_nothing_and_stops_nothing(self):
        shell = Shell()
        token = shell.ask("a1")
        shell.time -= 1e6
        shell.tell(Tick())
        assert admits(shell.state, token, shell.time)
        assert shell.all(Wake)[0].at == pytest.approx(shell.time + 60.0)
        shell.let_go_by(60.1)
        assert shell.all(Lost)

    def test_a_leap_ends_leases_and_loses_no_job(self):
        shell = Shell()
        token = shell.start("a1", job_id="job 1")
        shell.let_go_by(1e6)
        assert [o.lease.job_id for o in shell.all(Orphaned)] == ["job 1"]
        shell.tell(Renew(token))
        assert shell.state.leases

    @pytest.mark.parametrize("time", [float("nan"), float("inf")])
    def test_a_time_that_is_none_is_refused(self, time):
        with pytest.raises(InvalidValueError, match="finite number of seconds"):
            step(State(ONE), Tick(), time)


def test_lower_limits_take_no_lease_away_and_grant_none():
    shell = Shell(Limits(jobs_in_flight=3))
    tokens = [shell.ask(f"a{n}") for n in range(3)]
    shell.ask("a3")
    shell.tell(SetLimits(ONE))
    assert list(shell.state.leases) == tokens
    for token in tokens[:2]:
        shell.tell(Release(token, "unused"))
        assert not shell.all(Grant)
    shell.tell(Release(tokens[2], "unused"))
    assert shell.all(Grant)


def test_a_new_broker_knows_the_jobs_and_denies_the_leases_that_it_does_not():
    shell = Shell(Limits(jobs_in_flight=3))
    known, unknown = shell.start("a1", job_id="job 1"), shell.ask("a2")
    done = shell.start("b1")
    shell.tell(Release(done, "done"))
    records = list(shell.records.values())
    shell.state = rebuild(records, shell.time, claim=2, limits=ONE)
    assert shell.tell(Admit(unknown))[0] == Denied(unknown)
    assert shell.tell(Renew(known)) == (Wake(shell.time + 60.0),)
    assert shell.ask("c1") is None
    shell.tell(Release(known, "done"))
    assert [g.lease.token for g in shell.all(Grant)] == [first_token(2)]
    shots = {sweep: account.spent.shots for sweep, account in shell.state.accounts.items()}
    assert shots == {"a": 10, "b": 10, "c": 0}


def test_a_request_says_who_wants_what():
    for wrong in ({"holder": ""}, {"wanted": Usage()}, {"wanted": Usage(1, 0.0)}):
        with pytest.raises(InvalidValueError):
            replace(request("a1"), **wrong)


@pytest.mark.parametrize(
    ("promise", "unknown"),
    [
        ("idempotent", Action.SUBMIT_SAME_ID),
        ("findable", Action.SEARCH),
        ("neither", Action.ASK),
    ],
)
def test_what_to_do_about_a_step_follows_from_its_record(promise, unknown):
    shell = Shell()
    assert action_for(None, promise) is Action.SUBMIT
    token = shell.start("a1")
    assert action_for(shell.records["a1-0"], promise) is unknown
    shell.tell(Submitted(token, "job 1"))
    assert action_for(shell.records["a1-0"], promise) is Action.ATTACH
    submitted = shell.state
    shell.tell(Release(token, "failed"))
    assert action_for(shell.records["a1-0"], promise) is Action.NEXT_ATTEMPT
    shell.state = submitted
    shell.tell(Release(token, "done"))
    assert action_for(shell.records["a1-0"], promise) is Action.ATTACH
    with pytest.raises(InvalidValueError, match="must be one of"):
        action_for(None, "maybe")
