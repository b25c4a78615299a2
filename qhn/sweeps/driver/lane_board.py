"""Where the trials of each lane are while a sweep runs, and what they have used of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from qhn.lanes import Usage
from qhn.sweeps.planning.lanes import PlannedLane
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.trial.lane_use import LaneUse

#: The states of a living trial, in the order in which it passes through them.
STATES = ("computing", "waiting for lease", "queued", "executing", "waiting for budget")


@dataclass
class LaneStanding:
    """How one lane stands.

    Attributes:
        lane: the lane as it was planned.
        states: how many living trials are in each of `STATES`.
        notes: what a provider has said last to each trial that waits for a reason of its own.
        alive: how many trials lived at which time, seconds since 1970, in the order of time.
    """

    lane: PlannedLane
    states: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)
    alive: list[tuple[float, int]] = field(default_factory=list)
    _state_of: dict[str, str] = field(default_factory=dict)
    _uses: dict[str, LaneUse] = field(default_factory=dict)
    # What is known of each trial, and the sums over all of them: shots, seconds, money. The driver
    # asks for the sums in every turn, so they are not added up anew. Fractions make them exact: an
    # account that is taken away and added with a new value leaves no rounding error behind.
    _counted: dict[str, Usage] = field(default_factory=dict)
    _sums: tuple[int, Fraction, Fraction] = (0, Fraction(), Fraction())

    def heard(self, trial_id: str, content: Mapping[str, Any]) -> None:
        """Note where a trial is and what it has used, from its last answer."""
        self.place(trial_id, str(content["state"]))
        use = self._uses[trial_id] = LaneUse.of(content)
        # A trial's own account goes on from run to run, and is newer than that of before.
        self._count(trial_id, Usage(use.shots, use.qpu_seconds, use.cost))
        if note := content.get("note"):
            self.notes[trial_id] = str(note)
        else:
            self.notes.pop(trial_id, None)

    def place(self, trial_id: str, state: str | None) -> None:
        """Note the state of a trial; None if it lives no more."""
        before = self._state_of.pop(trial_id, None)
        if before is not None:
            self.states[before] -= 1
        if state is not None:
            self._state_of[trial_id] = state
            self.states[state] += 1
        else:
            self.notes.pop(trial_id, None)
        if (before is None) != (state is None):
            self.alive.append((time.time(), len(self._state_of)))

    def spent_before(self, by_trial: Mapping[str, Usage]) -> None:
        """Say what the sweep had used of the lane before this run, by trial id."""
        for trial_id, usage in by_trial.items():
            if trial_id not in self._uses:
                self._count(trial_id, usage)

    def _count(self, trial_id: str, usage: Usage) -> None:
        """Put what a trial has used in place of what was known of it."""
        before = self._counted.get(trial_id, Usage())
        self._counted[trial_id] = usage
        shots, seconds, cost = self._sums
        # The view reads the sums in its own thread, so they change all at once.
        self._sums = (
            shots + usage.shots - before.shots,
            seconds + Fraction(usage.qpu_seconds) - Fraction(before.qpu_seconds),
            cost + Fraction(usage.cost) - Fraction(before.cost),
        )

    @property
    def spent(self) -> Usage:
        """What the sweep has used, as far as its trials have said."""
        shots, seconds, cost = self._sums
        return Usage(shots, float(seconds), float(cost))

    @property
    def uses(self) -> tuple[LaneUse, ...]:
        """The accounts of the trials that this run has heard of."""
        return tuple(self._uses.values())

    def content(self) -> dict[str, Any]:
        """How it stands, as JSON values."""
        spent = self.spent
        return {
            "queue": self.lane.queue,
            "states": {state: number for state in STATES if (number := self.states[state])},
            "spent": {
                "shots": spent.shots,
                "qpu_seconds": round(spent.qpu_seconds, 3),
                "cost": round(spent.cost, 4),
            },
            "notes": sorted(set(self.notes.values())),
        }


class LaneBoard:
    """How all lanes of a sweep stand.

    Args:
        lanes: the lanes of the plan.
        trials: its trials.

    Attributes:
        standings: how each lane stands, by its name.
        paused: why a trial does not go on in this run although it has neither finished nor failed,
            by trial id.
    """

    def __init__(
        self, lanes: Iterable[PlannedLane] = (), trials: Iterable[PlannedTrial] = ()
    ) -> None:
        self.standings = {lane.name: LaneStanding(lane) for lane in lanes}
        self.paused: dict[str, str] = {}
        self._lane_of = {trial.trial_id: trial.lane for trial in trials if trial.lane is not None}

    def of(self, trial_id: str) -> LaneStanding | None:
        """The lane of a trial; None if the trial is simulated."""
        name = self._lane_of.get(trial_id)
        return None if name is None else self.standings[name]

    def content(self) -> dict[str, Any]:
        """How all lanes stand, as JSON values."""
        paused = Counter(self._lane_of[trial_id] for trial_id in self.paused)
        return {
            "lanes": {
                name: {**standing.content(), "paused": paused[name]}
                for name, standing in self.standings.items()
            },
            "paused": dict(self.paused),
        }
