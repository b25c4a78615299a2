"""A quantum processor, its queue and its trials in simulated time, driving the real machine.

Nothing here waits: a heap of what happens next is the only clock, so that hours take seconds.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from qhn.lanes.amounts import Usage
from qhn.lanes.events import (
    Acquire,
    Admit,
    Admitted,
    Grant,
    Over,
    Release,
    Renew,
    Submitted,
    Tick,
    Wake,
    Write,
)
from qhn.lanes.limits import Limits
from qhn.lanes.machine import step
from qhn.lanes.state import Request, State

#: Seconds in which submissions are counted.
MINUTE_S = Limits().minute_s


@dataclass(frozen=True)
class Sweep:
    """Trials that are alike: ``steps`` jobs each, one after another."""

    name: str
    trials: int
    steps: int
    execution_s: float = 2.0
    begins_at: float = 0.0


@dataclass
class World:
    """What happened.

    Attributes:
        limits: those of the lane.
        queue_s: the mean of the exponential time that a job waits at the provider.
        classical_s: how long a trial computes between two jobs.
        fixed_s: the part of a step's time that a job has once, however many steps are in it.
    """

    limits: Limits
    queue_s: float = 0.0
    classical_s: float = 0.1
    fixed_s: float = 0.0
    seed: int = 0
    state: State = field(init=False)
    now: float = 0.0
    events: int = 0
    jobs: int = 0
    busy_s: float = 0.0
    most_in_flight: int = 0
    submitted_at: list[float] = field(default_factory=list)
    used: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    #: (time, sweep, QPU seconds) of each job, when it has ended.
    history: list[tuple[float, str, float]] = field(default_factory=list)
    ended_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = State(limits=self.limits)
        self._heap: list[tuple[float, int, object]] = []
        self._order = itertools.count()
        self._random = random.Random(self.seed)
        self._free_at = 0.0  # when the processor is idle again
        self._ready: list[tuple[float, int, object]] = []
        self._running = False
        self._left: Counter[str] = Counter()
        self._steps: dict[str, tuple[Sweep, int]] = {}
        self._wake: float | None = None
        self._in_flight = 0

    def run(self, *sweeps: Sweep, until: float = float("inf")) -> World:
        """Let every trial of these sweeps make all its steps, or as many as it can."""
        for sweep in sweeps:
            self._left[sweep.name] = sweep.trials
            for number in range(sweep.trials):
                trial = f"{sweep.name}{number}"
                self._steps[trial] = (sweep, 0)
                self._at(sweep.begins_at, ("ask", trial))
        while self._heap and self._heap[0][0] <= until:
            self.now, _, (kind, *rest) = heapq.heappop(self._heap)
            getattr(self, f"_on_{kind}")(*rest)
        return self

    def _at(self, time: float, what: tuple[object, ...]) -> None:
        heapq.heappush(self._heap, (time, next(self._order), what))

    def _tell(self, event: object) -> None:
        self.events += 1
        self.state, instructions = step(self.state, event, self.now)
        self._wake = None
        for instruction in instructions:
            match instruction:
                case Grant(request, lease) if request.holder == lease.holder:
                    self._at(self.now, ("granted", lease.token))
                case Admitted(lease):
                    self._submit(lease)
                case Over(request, _, _):
                    self._at(self.now, ("done", request.trial))
                case Wake(at):
                    self._wake = at
                    self._at(at, ("wake", at))
                case Grant() | Write():
                    pass
                case other:
                    raise AssertionError(f"nothing else can happen here, but {other} did")

    def _on_wake(self, at: float) -> None:
        if at == self._wake:
            self._tell(Tick())

    def _on_ask(self, trial: str) -> None:
        sweep, number = self._steps[trial]
        wanted = Usage(shots=1, qpu_seconds=sweep.execution_s)
        self._tell(Acquire(Request(f"{trial}-{number}", trial, sweep.name, trial, wanted)))

    def _on_granted(self, token: int) -> None:
        self._tell(Admit(token))

    def _submit(self, lease) -> None:
        self.jobs += 1
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        self.submitted_at.append(self.now)
        members = [(m.request.trial, m.request.wanted.qpu_seconds) for m in lease.members]
        seconds = self.fixed_s + sum(wanted - self.fixed_s for _, wanted in members)
        queue_s = self._random.expovariate(1 / self.queue_s) if self.queue_s else 0.0
        self._at(self.now, ("submitted", lease.token, f"job {self.jobs}"))
        self._at(self.now + queue_s, ("ready", lease, seconds))
        self._at(self.now + self.limits.term_s / 2, ("renew", lease.token))

    def _on_submitted(self, token: int, job_id: str) -> None:
        self._tell(Submitted(token, job_id))

    def _on_renew(self, token: int) -> None:
        if token in self.state.leases:
            self._tell(Renew(token))
            self._at(self.now + self.limits.term_s / 2, ("renew", token))

    def _on_ready(self, lease, seconds: float) -> None:
        # The processor takes jobs in the order in which they came out of the queue.
        self._free_at = max(self._free_at, self.now) + seconds
        self.busy_s += seconds
        self._at(self._free_at, ("finished", lease, seconds))

    def _on_finished(self, lease, seconds: float) -> None:
        self._in_flight -= 1
        wanted = sum(m.request.wanted.qpu_seconds for m in lease.members)
        for member in lease.members:
            request = member.request
            part = seconds * request.wanted.qpu_seconds / wanted
            self.used[request.sweep] += part
            self.history.append((self.now, request.sweep, part))
        used = Usage(shots=len(lease.members), qpu_seconds=seconds)
        self._tell(Release(lease.token, "done", used))
        leader = next(m for m in lease.members if m.request.holder == lease.holder)
        self._at(self.now, ("done", leader.request.trial))

    def _on_done(self, trial: str) -> None:
        sweep, number = self._steps[trial]
        self._steps[trial] = (sweep, number + 1)
        if number + 1 < sweep.steps:
            self._at(self.now + self.classical_s, ("ask", trial))
            return
        self._left[sweep.name] -= 1
        if not self._left[sweep.name]:
            self.ended_at[sweep.name] = self.now

    @property
    def utilisation(self) -> float:
        """The part of the time for which the processor worked."""
        return self.busy_s / max(self.ended_at.values())

    @property
    def most_in_a_window(self) -> int:
        """The most submissions in any 60 seconds."""
        most, begin = 0, 0
        for end, time in enumerate(self.submitted_at):
            while self.submitted_at[begin] + MINUTE_S <= time:
                begin += 1
            most = max(most, end - begin + 1)
        return most
