"""How far a group is: its planned trials, how they have ended, and which runs MLflow has of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.tracking.content import ERROR_TAG
from qhn.sweeps.tracking.group_content import Member
from qhn.sweeps.tracking.known_runs import FINISHED, KnownRun
from qhn.sweeps.tracking.names import GROUP_TAG, NAME_TAG, RESULTS_TAG, TRIAL_TAG


@dataclass
class Group:
    """A group of a sweep as the writer knows it.

    Attributes:
        group_id: a digest of the settings that its trials share.
        name: the name of its run.
        runs_of_trials: the run of each trial of the sweep, by trial id; kept up to date by others.
        trials: its planned trials, by trial id.
        waiting: ids of its planned trials that have not ended. It is kept up to date, so that
            nobody has to look at all trials to learn whether the group is complete.
        open: ids of trials whose runs have ended in MLflow although the store knows of no end: they
            failed before and are trained again, or their results were lost.
        run: the run that is kept; None if there is none yet.
        spares: further runs of the same group, which are to be deleted.
        unplanned: runs of trials that an earlier version of the sweep file planned for this group.
        uncertain: whether a run was requested and no answer came, so that there may be one more.
        members: what is needed of trials whose end this process has seen, by trial id.
    """

    group_id: str
    name: str
    runs_of_trials: Mapping[str, KnownRun]
    trials: dict[str, PlannedTrial] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    run: KnownRun | None = None
    spares: list[KnownRun] = field(default_factory=list)
    unplanned: list[KnownRun] = field(default_factory=list)
    uncertain: bool = False
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def first(self) -> PlannedTrial:
        """One of the trials, for the settings that all of them share."""
        return next(iter(self.trials.values()))

    @property
    def names(self) -> dict[str, str]:
        """The tags with the name and the label of the group."""
        return {NAME_TAG: self.name, GROUP_TAG: self.first.group}

    def plan(self, trial: PlannedTrial) -> None:
        """Add a planned trial."""
        self.trials[trial.trial_id] = trial
        run = self.runs_of_trials.get(trial.trial_id)
        if run is None or not run.is_over:
            self.waiting.add(trial.trial_id)

    def placed_runs(self) -> dict[str, KnownRun]:
        """The runs that MLflow has of the planned trials, by trial id."""
        found = {trial_id: self.runs_of_trials.get(trial_id) for trial_id in self.trials}
        return {trial_id: run for trial_id, run in found.items() if run is not None}

    def ended(self) -> list[KnownRun]:
        """The runs of the planned trials that have ended, in the order of the plan."""
        runs = self.placed_runs().items()
        return [run for trial_id, run in runs if run.is_over and trial_id not in self.open]

    @property
    def is_over(self) -> bool:
        """Whether all planned trials have ended."""
        return len(self.ended()) == len(self.trials)

    def digest(self) -> str:
        """A digest of how the group's trials ended.

        It is made from the runs of the trials, which are in memory, so that the store need not be
        read to learn that nothing has changed.
        """
        ends = [f"{len(self.trials)} planned"]
        for run in self.ended():
            outcome = {name: value for name, value in run.outcome.items() if name != ERROR_TAG}
            # The time of a failure is left out: no number depends on it, and if the file with the
            # error cannot be read any more, the time is not known.
            end = run.end_ms if run.status == FINISHED else None
            ends.append(json.dumps([run.tags[TRIAL_TAG], run.status, end, outcome], sort_keys=True))
        return hashlib.sha256("\n".join(sorted(ends)).encode()).hexdigest()[:16]

    def is_current(self, run: KnownRun) -> bool:
        """Whether a run of the group has the numbers of its trials' present ends."""
        return run.has_metrics and run.tags.get(RESULTS_TAG) == self.digest()

    def order(self, run: KnownRun) -> int:
        """Sort the runs of a group by which to keep: up to date, then empty, then outdated."""
        if self.is_current(run):
            return 0
        return 1 if is_blank(run) else 2


def is_blank(run: KnownRun) -> bool:
    """Whether no numbers were written to a run of a group."""
    return RESULTS_TAG not in run.tags and not run.has_metrics
