"""Trials on the rehearsal device in simulated time, all in one process: nothing here waits.

The witness of what was paid is the device's own file, and not the ledger.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace

from qhn.core.errors import QhnError
from qhn.devices.kinds.exact import Exact
from qhn.devices.rehearsal.access import RehearsalAccess
from qhn.devices.rehearsal.handle import RehearsalHandle
from qhn.lanes.limits import Limits
from qhn.lanes.local import LocalDesk
from qhn.lanes.ticket import Ticket
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import open_store, results_digest
from qhn.sweeps.store.lane_place import open_place
from qhn.sweeps.trial.lane_sampler import LaneSampler
from qhn.sweeps.trial.session import TrialSession

TERM_S = 6.0
LIMITS = Limits(jobs_in_flight=2, term_s=TERM_S)
ACCESS = RehearsalAccess(
    queue_s=3.0,
    queue_spread="constant",
    pending=1000,
    submissions_per_minute=100_000,
    parts_per_job=8,
    listing_lag_s=1.0,
)


class KilledError(BaseException):
    """The process of a trial ends here."""


def config(seed=0, steps=1, shots=16):
    return TrialConfig.model_validate(
        {
            "dataset": {"name": "moons", "train": 10, "test": 10},
            "network": {"kind": "mlp", "hidden": 1},
            "ansatz": {"depth": 1},
            "objective": {"name": "mle"},
            "training": {"steps": steps, "report_every": 1},
            "device": {"name": "rehearsal", "shots": shots, "estimator": "spsa"},
            "seed": seed,
        }
    )


PROBLEM = None


def problem():
    global PROBLEM
    PROBLEM = PROBLEM or factory.problem(config())
    return PROBLEM


class Fragile:
    """Anything whose calls are counted, after one of which the process is killed.

    A broker that died is found again by those who live, as `BrokerClient` does it.
    """

    def __init__(self, inner, world):
        self._inner, self._world = inner, world

    def __getattr__(self, name):
        found = getattr(self._inner(), name)
        if not callable(found) or name in ("gone", "close", "capabilities"):
            return found

        def call(*arguments, **options):
            answer = None
            try:
                answer = found(*arguments, **options)
            finally:
                self._world.called(name)
            return answer

        return call


@dataclass
class Life:
    """A trial in one process after another."""

    config: TrialConfig
    session: TrialSession | None = None
    sampler: LaneSampler | None = None
    finished: bool = False
    error: Exception | None = None
    paused: str = ""
    lives: int = 0


@dataclass
class World:
    """The clock, the store, the provider, the broker and the trials.

    Attributes:
        crash_at: the number of the call after which its process is killed; None for no crash.
        broker_dies: whether the broker dies in the same moment.
        rate: the share of calls after which the process is killed.
        broker_rate: the share of calls after which the broker is killed.
        reproducible: whether the device says that it draws the same samples again.
    """

    folder: object
    access: RehearsalAccess = ACCESS
    limits: Limits = LIMITS
    budget: object = None
    crash_at: int | None = None
    broker_dies: bool = False
    rate: float = 0.0
    broker_rate: float = 0.0
    reproducible: bool = True
    now: float = 1.7e9
    calls: int = 0
    names: list[str] = field(default_factory=list)
    killed_in: str | None = None

    def __post_init__(self):
        self.uri = f"memory://{self.folder}"
        self.store = open_store(self.uri)
        self.access = replace(self.access, folder=str(self.folder))
        self.lives: list[Life] = []
        self.chance = random.Random(5)
        self.kills = self.broker_kills = 0
        self.open_broker()

    def open_broker(self):
        self.desk = LocalDesk("practice", open_place, self.clock, self.sleep)

    def kill_broker(self):
        """Its memory is lost; its lock is released, as the operating system does."""
        self.desk.close()
        self.open_broker()

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def called(self, name):
        self.calls += 1
        self.names.append(name)
        if self.chance.random() < self.broker_rate:
            self.broker_kills += 1
            self.kill_broker()
        if self.calls == self.crash_at or self.chance.random() < self.rate:
            self.kills += 1
            self.killed_in = name
            if self.broker_dies:
                self.kill_broker()
            raise KilledError

    def ticket(self, sweep="practice"):
        return Ticket(
            lane="qpu", queue="practice", store=self.uri, sweep=sweep, limits=self.limits,
            budget=self.budget, job_s=2.0, execution_s=1e-4,
        )  # fmt: skip

    def add(self, *configs):
        self.lives += [Life(one) for one in configs]
        return self

    def begin(self, life):
        """A new process takes the trial up."""
        life.lives += 1
        device = life.config.device.build()
        capabilities = replace(device.capabilities, submission=self.access.behaviour.submission)
        capabilities = replace(capabilities, reproducible=self.reproducible)
        exact = Exact(shots=device.shots)
        ansatz = factory.ansatz(life.config)
        handle = RehearsalHandle(ansatz, capabilities, exact, self.access, self.clock)
        life.sampler = LaneSampler(
            Fragile(lambda: handle, self), Fragile(lambda: self.desk, self), self.ticket(),
            self.access.provider, self.store, trial=life.config.trial_id,
            backend="rehearsal", seed=life.config.seed, clock=self.clock, sleep=self.sleep,
            # All trials wait one after another here, and yet each must renew within its term.
            patience_s=min(1.0, self.limits.term_s / 4 / len(self.lives)),
        )  # fmt: skip
        life.session = TrialSession(life.config, problem(), handle, self.store, life.sampler)

    def turn(self, life):
        """One piece of work of one trial."""
        try:
            if life.session is None:
                self.begin(life)
            progress = life.session.work(0.0)
            life.finished, life.paused = progress.finished, progress.paused
        except KilledError:
            life.session = life.sampler = None
        except QhnError as error:
            life.error = error
            life.sampler.close()
            life.session = life.sampler = None
        if life.finished or life.paused:
            if life.sampler is not None:
                life.sampler.close()
            life.session = life.sampler = None

    def run(self, most=2000):
        """Let all trials work in turns until each has ended in some way."""
        for _ in range(most):
            left = [one for one in self.lives if not (one.finished or one.error or one.paused)]
            if not left:
                return self
            for life in left:
                self.turn(life)
        raise AssertionError(f"not over after {most} rounds: {[one.sampler for one in left]}")

    def digest(self):
        ids = [life.config.trial_id for life in self.lives]
        return results_digest(self.store.results(ids).values())

    def paid(self):
        """How often each step of each trial was billed, as the provider has it."""
        with closing(sqlite3.connect(f"{self.access.folder}/rehearsal.sqlite")) as db:
            rows = db.execute(
                "SELECT trial, step FROM parts JOIN jobs ON parts.job = jobs.number "
                "WHERE failure IS NULL"
            ).fetchall()
        return Counter(rows)

    def jobs(self):
        with closing(sqlite3.connect(f"{self.access.folder}/rehearsal.sqlite")) as db:
            return db.execute("SELECT count(*) FROM jobs").fetchone()[0]

    def records(self):
        return open_place(self.uri, "practice").ledger.read()
