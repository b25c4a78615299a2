"""A sweep on a rehearsal device in bad weather, and its numbers where nothing fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from qhn.lanes.ticket import Ticket
from qhn.sweeps.config import factory
from qhn.sweeps.planning.plan import Plan, PlannedTrial, make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store, results_digest
from qhn.sweeps.trial.alone import opened
from qhn.sweeps.trial.session import TrialSession

QUEUE = "rehearsal-qpu-a"


@dataclass(frozen=True)
class Storm:
    """A sweep file with one queued device.

    Attributes:
        preset: the provider that is rehearsed.
        trials: how many trials, which differ by their seeds.
        steps: updates of each trial. It needs the samples of one step more.
        speedup: how fast the provider's clock runs.
        jobs_in_flight: the limit of the lane.
        together: how many steps may go out as one job.
        weather: further settings of the device: its failures.
        simulated: whether the same trials are trained on the exact device as well.
    """

    preset: str
    trials: int
    steps: int
    speedup: float
    jobs_in_flight: int = 3
    together: int = 1
    weather: str = "transient_rate: 0.2, timeout_rate: 0.05, session_jobs: 50"
    simulated: bool = False

    @property
    def text(self) -> str:
        """The text of the sweep file."""
        return f"""\
name: storm
datasets: {{name: moons, train: 20, test: 20}}
networks: {{hidden: 1}}
objectives: mle
devices:
{"  - exact" if self.simulated else "  # no simulator"}
  - {{name: rehearsal, preset: {self.preset}, shots: 32, label: qpu-a, speedup: {self.speedup},
     {self.weather}}}
seeds: {self.trials}
training: {{steps: {self.steps}, report_every: 5}}
lanes:
  qpu: {{devices: qpu-a, jobs_in_flight: {self.jobs_in_flight}, requests_per_job: {self.together}}}
"""

    @property
    def plan(self) -> Plan:
        """The plan of the file."""
        return make_plan(parse_spec(self.text, "storm.yaml"))


def undisturbed(storm: Storm, folder: Path) -> str:
    """The digest of the sweep's results where nothing fails, without Ray and in this process.

    Args:
        storm: the sweep.
        folder: an empty folder.
    """
    plan, store = storm.plan, open_store(f"memory://{folder}")
    for trial in plan.trials:
        config, ticket = trial.config, _calm(plan, trial, store.uri, folder)
        with opened(config, ticket, store) as found:
            session = TrialSession(
                config, factory.problem(config), found.device, store, found.sampler
            )
            while not session.work(60.0).finished:
                pass
    return results_digest(store.results([trial.trial_id for trial in plan.trials]).values())


def _calm(plan: Plan, trial: PlannedTrial, store: str, folder: Path) -> Ticket | None:
    """The ticket of a trial with a provider that is fast and never fails."""
    if trial.lane is None:
        return None
    ticket = plan.lane(trial.lane).ticket("qpu-a", store=store, sweep=plan.name, folder=str(folder))
    fair = {"transient_rate": 0.0, "timeout_rate": 0.0, "session_jobs": None}
    fast = {"speedup": 1e5, "submissions_per_minute": 10**6}
    limits = replace(ticket.limits, submissions_per_minute=None)
    return replace(ticket, access={**ticket.access, **fair, **fast}, limits=limits)
