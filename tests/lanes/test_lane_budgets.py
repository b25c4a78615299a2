"""What becomes of requests that a budget has no room for."""

from dataclasses import replace

from shell import Shell, request

from qhn.lanes.amounts import Usage
from qhn.lanes.events import (
    Grant,
    Refuse,
    Release,
    SetBudget,
)
from qhn.lanes.limits import Budget, Limits


class TestBudgets:
    def test_a_job_that_does_not_fit_ends_the_trial_or_lets_it_wait(self):
        for when_spent, waits in (("finish", False), ("wait", True)):
            budget = Budget(qpu_seconds=3.0, when_spent=when_spent)
            shell = Shell(Limits(jobs_in_flight=5), budgets={"a": budget})
            token = shell.start("a1")
            shell.ask("a2")  # fits only if the first turns out cheaper
            assert not shell.all(Refuse)
            shell.tell(Release(token, "done"))
            assert shell.all(Refuse) == [Refuse(request("a2"), "budget", waits)]
            assert bool(shell.state.parked) == waits
            shell.tell(SetBudget("a", Budget(qpu_seconds=4.0)))
            assert [g.request.trial for g in shell.all(Grant)] == ["a2"] * waits

    def test_what_turns_out_cheaper_leaves_room(self):
        shell = Shell(Limits(jobs_in_flight=5), budgets={"a": Budget(qpu_seconds=3.0)})
        token = shell.start("a1")
        assert shell.ask("a2") is None
        shell.tell(Release(token, "done", Usage(10, 1.0, 1.0)))
        assert [g.request.trial for g in shell.all(Grant)] == ["a2"]

    def test_it_holds_no_other_sweep_or_trial_back(self):
        budget = Budget(shots=15, per="trial")
        shell = Shell(Limits(jobs_in_flight=5), budgets={"a": budget})
        token = shell.start("a1")
        shell.tell(Release(token, "done"))
        assert shell.ask("a1", 1) is None
        assert shell.all(Refuse)
        assert shell.ask("a2") is not None
        assert shell.ask("b1") is not None

    def test_a_new_rule_reaches_those_who_wait_for_a_budget(self):
        budget = Budget(shots=5, when_spent="wait")
        shell = Shell(budgets={"a": budget})
        shell.ask("a1")
        shell.tell(SetBudget("a", replace(budget, when_spent="finish")))
        assert shell.all(Refuse) == [Refuse(request("a1"), "budget", waits=False)]
        assert not shell.state.parked
