"""What the trials of a queued device are expected to take of it: jobs, shots, seconds, money, days.

Nothing is opened or asked for this. It follows from the plan, and from what the provider is known
to do and to charge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qhn.core.estimators.shots import total_shots
from qhn.lanes import Budget, Usage
from qhn.lanes.amounts import total
from qhn.sweeps.config.circuits import circuits
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.lanes import PlannedLane
from qhn.sweeps.planning.plan import Plan, PlannedTrial

#: Seconds of a day.
DAY_S = 86_400


@dataclass(frozen=True)
class Need:
    """What is left to do for one trial.

    Attributes:
        evaluations: how often its circuits are evaluated. Each evaluation is one job, or a part of
            one.
        circuits: how many circuits they have together.
        shots: how often these are executed.
    """

    evaluations: int
    circuits: int
    shots: int


@dataclass(frozen=True)
class LanePrice:
    """What is left to do in one lane.

    Attributes:
        lane: the lane.
        trials: how many of its trials are left.
        evaluations: how often their circuits are evaluated. It is the number of jobs if the steps
            of different trials never go out together.
        circuits: how many circuits are run.
        jobs: about how many jobs that takes, if steps that wait go out together where they may.
        expected: about what these jobs use.
        separately: what they use if each step is a job of its own, which is the most.
        seconds: about how long it takes, in seconds of our clock.
        held_up_by: what it takes so long for.
        per_trial: about the most that a single trial uses.
    """

    lane: PlannedLane
    trials: int
    evaluations: int
    circuits: int
    jobs: int
    expected: Usage
    separately: Usage
    seconds: float
    held_up_by: str
    per_trial: Usage

    @property
    def days(self) -> float:
        """About how long it takes, in days."""
        return self.seconds / DAY_S


def need(config: TrialConfig, begun: int = 0) -> Need:
    """What a trial on a device that samples needs from a step on to its end.

    The circuits are evaluated before each update, and once more for the last report: a training of
    40 steps has 41 evaluations.

    Args:
        config: the configuration of the trial.
        begun: how many updates were made before.
    """
    steps, every = config.training.steps, config.training.report_every or config.training.steps
    evaluations = steps + 1 - begun
    sets = circuits(config.device, config.ansatz.depth, config.n_qubits)
    shots = config.device.step_shots or 0
    runs, executions = evaluations * sets, sets * total_shots(shots, steps, begun)
    if config.device.sample_estimator == "spsa":
        # At a step with a report there is one circuit more.
        reports = [step for step in range(begun, steps + 1) if step % every == 0 or step == steps]
        runs += len(reports)
        executions += total_shots(shots, steps, at_steps=reports)
    return Need(evaluations, runs, executions)


def lane_prices(
    plan: Plan, over: Iterable[str] = (), begun: Mapping[str, int] | None = None
) -> tuple[LanePrice, ...]:
    """What is left to do in each lane of a plan.

    Args:
        plan: the plan.
        over: the ids of trials that are not to be run any more.
        begun: how many updates other trials have made before, by trial id.
    """
    ended, updates = set(over), begun or {}
    by_lane: dict[str, list[PlannedTrial]] = {lane.name: [] for lane in plan.lanes}
    for trial in plan.trials:
        if trial.lane is not None and trial.trial_id not in ended:
            by_lane[trial.lane].append(trial)
    # Trials that differ only by their seeds need the same, so that this is computed once for each.
    known: dict[tuple[str, int], Need] = {}
    prices = []
    for lane in plan.lanes:
        needs = []
        for trial in by_lane[lane.name]:
            key = trial.group_id, updates.get(trial.trial_id, 0)
            if key not in known:
                known[key] = need(trial.config, key[1])
            needs.append(known[key])
        prices.append(lane_price(lane, needs))
    return tuple(prices)


def lane_price(lane: PlannedLane, needs: list[Need]) -> LanePrice:
    """What these trials are expected to take of a lane."""
    evaluations = sum(one.evaluations for one in needs)
    shots = sum(one.shots for one in needs)
    longest = max((one.evaluations for one in needs), default=0)
    # While a job is in flight, the trials that are alive and not in it come to their next steps.
    alive = min(lane.live_trials, len(needs))
    most = lane.limits.requests_per_job
    together = min(most, max(1, alive // lane.limits.jobs_in_flight))
    # A job has at most one step of each trial.
    jobs = max(-(-evaluations // together), longest)
    expected = _usage(lane, jobs, shots)
    seconds, why = _duration(lane, jobs, expected.qpu_seconds, longest, len(needs))
    return LanePrice(
        lane=lane,
        trials=len(needs),
        evaluations=evaluations,
        circuits=sum(one.circuits for one in needs),
        jobs=jobs,
        expected=expected,
        separately=_usage(lane, evaluations, shots),
        seconds=seconds,
        held_up_by=why,
        per_trial=_most(_usage(lane, one.evaluations, one.shots, together) for one in needs),
    )


def _usage(lane: PlannedLane, jobs: int, shots: int, together: int = 1) -> Usage:
    """What so many jobs use; if each is shared by several trials, the part of one of them."""
    if not jobs:
        return Usage()
    # The price has a minimum for each job, so it is computed for a job of the mean size.
    in_job = together * shots / jobs
    seconds = lane.provider.job_s + lane.provider.execution_s * in_job
    cost = lane.prices.of(round(in_job), seconds)
    return Usage(shots, jobs * seconds / together, jobs * cost / together)


def _most(usages: Iterable[Usage]) -> Usage:
    each = list(usages)
    return Usage(
        max((one.shots for one in each), default=0),
        max((one.qpu_seconds for one in each), default=0.0),
        max((one.cost for one in each), default=0.0),
    )


def _duration(
    lane: PlannedLane, jobs: int, qpu_seconds: float, longest: int, trials: int
) -> tuple[float, str]:
    """The seconds of our clock that the lane takes, and what makes it take so long."""
    if not jobs:
        return 0.0, "nothing"
    provider, limits = lane.provider, lane.limits
    # The provider's clock may run faster than ours, where it is rehearsed.
    job_s = (provider.queue_s + qpu_seconds / jobs) / provider.speedup
    turns = -(-trials // lane.live_trials)
    reasons = {
        "the processor": qpu_seconds / provider.speedup,
        "the number of jobs in flight": jobs * job_s / limits.jobs_in_flight,
        "the steps of a trial, one after the other": turns * longest * job_s,
    }
    if (most := limits.submissions_per_minute) is not None:
        reasons["the limit of submissions"] = jobs / most * provider.minute_s
    why = max(reasons, key=lambda reason: reasons[reason])
    return reasons[why], why


def over_budget(price: LanePrice, spent: Usage | None = None) -> Iterator[tuple[str, str]]:
    """Each limit of the lane's budget that is not enough: its name, and a message.

    Args:
        price: what is left to do.
        spent: what the sweep has used of the lane before.
    """
    budget = price.lane.budget
    if budget is None:
        return
    before = spent or Usage()
    if budget.per == "trial":
        # What each trial has used before is not known here, so only what is left counts.
        before, wanted, whose = Usage(), price.per_trial, "a trial"
    else:
        wanted, whose = total([before, price.expected]), "the sweep"
    for name, unit in (("shots", "shots"), ("qpu_seconds", "QPU seconds"), ("cost", "")):
        limit, amount = getattr(budget, name), getattr(wanted, name)
        if limit is None or _allows(budget, name, amount):
            continue
        unit = unit or price.lane.provider.currency
        message = (
            f"the budget of the lane {price.lane.name} is {amount_text(limit)} {unit} for {whose}, "
            f"but {whose} is expected to take {amount_text(amount)} {unit}{_used(before, name)}; "
            "raise the budget, ask for less, or run it with --over-budget until the budget is spent"
        )
        yield name, message


def _used(before: Usage, name: str) -> str:
    used = getattr(before, name)
    return f", of which {amount_text(used)} were used before" if used else ""


def _allows(budget: Budget, name: str, amount: float) -> bool:
    alone: dict[str, Any] = {name: getattr(budget, name)}
    used: dict[str, Any] = {name: amount}
    return Budget(**alone).allows(Usage(**used))


def amount_text(amount: float) -> str:
    """Shots, seconds or money for people: with two decimals, rounded up, unless it is whole."""
    # Rounding down could show an amount that is above a budget as one within it. The small number
    # takes away what only the representation of 4.35 adds to it.
    hundredths = math.ceil(amount * 100 - 1e-6)
    return f"{hundredths // 100:,}" if hundredths % 100 == 0 else f"{hundredths / 100:,.2f}"
