"""Steps of several trials that go out as one job."""

from shell import Shell

from qhn.lanes.amounts import Usage
from qhn.lanes.events import (
    Admit,
    Gone,
    Grant,
    Orphaned,
    Over,
    Release,
    Submitted,
)
from qhn.lanes.limits import Limits


class TestOneJobForSeveralSteps:
    limits = Limits(jobs_in_flight=1, requests_per_job=3)

    def grouped(self):
        """A lane in which b1 leads a job for b1, b2 and b3."""
        shell = Shell(self.limits)
        token = shell.ask("a1")
        for n in (1, 2, 3, 4):
            shell.ask(f"b{n}")
        shell.tell(Release(token, "unused"))
        grants = shell.all(Grant)
        assert [(g.request.trial, g.leads) for g in grants] == [
            ("b1", True),
            ("b2", False),
            ("b3", False),
        ]
        return shell, grants[0].lease.token

    def test_all_members_are_in_the_ledger_and_are_told_the_end(self):
        shell, token = self.grouped()
        shell.tell(Admit(token))
        shares = shell.records["b1-0"].members
        assert [share.submission for share in shares] == ["b1-0", "b2-0", "b3-0"]
        shell.tell(Submitted(token, "job 1"))
        shell.tell(Release(token, "done", Usage(30, 3.0, 1.5)))
        assert [(o.request.trial, o.job_id) for o in shell.all(Over)] == [
            ("b2", "job 1"),
            ("b3", "job 1"),
        ]
        assert [share.used for share in shell.records["b1-0"].members] == [Usage(10, 1.0, 0.5)] * 3

    def test_if_the_leader_dies_before_submitting_the_others_wait_in_their_old_places(self):
        shell, _ = self.grouped()
        shell.tell(Gone("b1.0"))
        assert [g.request.trial for g in shell.all(Grant)] == ["b2", "b3", "b4"]

    def test_if_the_leader_dies_afterwards_another_member_takes_the_job_up(self):
        shell, token = self.grouped()
        shell.tell(Admit(token))
        shell.tell(Submitted(token, "job 1"))
        shell.tell(Gone("b1.0"))
        (grant,) = shell.all(Grant)
        assert (grant.request.trial, grant.leads, grant.lease.job_id) == ("b2", True, "job 1")
        shell.tell(Gone("b2.0"))
        shell.tell(Gone("b3.0"))
        assert shell.all(Orphaned)
        assert shell.ask("b3", life=1) is not None  # whoever comes back first
