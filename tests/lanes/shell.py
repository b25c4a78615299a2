"""The machine with a clock that a test moves, and what it told last."""

from qhn.lanes.amounts import Usage
from qhn.lanes.events import (
    Acquire,
    Admit,
    Admitted,
    Grant,
    Submitted,
    Tick,
    Write,
)
from qhn.lanes.limits import Limits
from qhn.lanes.machine import step
from qhn.lanes.state import Request, State

ONE = Limits(jobs_in_flight=1)


def request(trial, step_number=0, *, life=0, sweep=None, seconds=2.0):
    return Request(
        f"{trial}-{step_number}",
        f"{trial}.{life}",
        sweep or trial.rstrip("0123456789"),
        trial,
        Usage(10, seconds, 1.0),
    )


class Shell:
    """The machine with its last instructions, by kind."""

    def __init__(self, limits=ONE, **fields):
        self.state = State(limits=limits, **fields)
        self.time = 1000.0
        self.records = {}

    def tell(self, event):
        self.state, self.told = step(self.state, event, self.time)
        for write in self.all(Write):
            self.records[write.record.submission] = write.record
        return self.told

    def all(self, kind):
        return [instruction for instruction in self.told if isinstance(instruction, kind)]

    def ask(self, *args, **kwargs):
        """Ask for a lease; its token, or None."""
        wanted = request(*args, **kwargs)
        self.tell(Acquire(wanted))
        mine = [g.lease.token for g in self.all(Grant) if g.request == wanted and g.leads]
        return mine[0] if mine else None

    def start(self, *args, job_id=None, **kwargs):
        """Ask, be admitted, and submit where a job id is given; the token."""
        token = self.ask(*args, **kwargs)
        self.tell(Admit(token))
        assert self.all(Admitted)
        if job_id is not None:
            self.tell(Submitted(token, job_id))
        return token

    def let_go_by(self, seconds):
        self.time += seconds
        return self.tell(Tick())
