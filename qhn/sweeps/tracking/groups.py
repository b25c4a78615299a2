"""One run for each group: its numbers over seeds, and its trials' runs below it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.results.table import Row
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.content import ERROR_TAG, parameters
from qhn.sweeps.tracking.experiment import Experiment
from qhn.sweeps.tracking.group_content import Member, group_points, group_tags, member_of
from qhn.sweeps.tracking.known_runs import ENDED, FINISHED, KnownRun, find_group
from qhn.sweeps.tracking.names import (
    COLOUR_TAG,
    GROUP_ID_TAG,
    GROUP_TAG,
    KIND_TAG,
    NAME_TAG,
    PARENT_TAG,
    RESULTS_TAG,
    SWEEP_TAG,
    TRIAL_TAG,
    colour,
    group_names,
    source_tags,
    trial_name,
)


@dataclass
class _Group:
    """A group as this process knows it.

    Attributes:
        group_id: the digest of what its trials share.
        name: of its run.
        trials: those that are planned, by trial id.
        waiting: ids of those that are not over, so that one look tells whether all are.
        run: the one that is kept; None before there is any.
        spares: further runs of the same group, which are to be deleted.
        unplanned: runs of trials that an earlier file planned for the group, and this one does not.
        uncertain: whether a run was asked for and no answer came.
        members: of the trials that this process has seen end, by trial id.
    """

    group_id: str
    name: str
    trials: dict[str, PlannedTrial] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    run: KnownRun | None = None
    spares: list[KnownRun] = field(default_factory=list)
    unplanned: list[KnownRun] = field(default_factory=list)
    uncertain: bool = False
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def first(self) -> PlannedTrial:
        """A trial that stands for all where only their seeds differ."""
        return next(iter(self.trials.values()))

    @property
    def names(self) -> dict[str, str]:
        """Tags that say what people call it."""
        return {NAME_TAG: self.name, GROUP_TAG: self.first.group}


class GroupRuns:
    """Keeps one run for each group of a sweep up to date.

    MLflow's metrics only grow, so a run whose group has changed since it was written, by more
    seeds for example, is made anew: a new run is written, the trials' runs get it as their parent,
    and the old run is deleted. The tag ``qhn.results`` says which ends of trials a run's numbers
    were made from. A writer may be killed anywhere in between: the next one recognises by this tag
    what is half done.

    Groups stand beside the sweep's run, not below it: MLflow's page shows one level of nesting
    well, and a filter would not find them below another run.

    Args:
        experiment: the sweep's.
        plan: of the sweep.
        read: gives what the store knows about a trial.
        groups: all runs of each group that MLflow has, by the group's id.
        trials: the run of each trial by the trial's id; kept up to date by its owner.
    """

    def __init__(
        self,
        experiment: Experiment,
        plan: Plan,
        read: Callable[[PlannedTrial], TrialRecord],
        groups: Mapping[str, list[KnownRun]],
        trials: Mapping[str, KnownRun],
    ) -> None:
        self._experiment = experiment
        self._plan = plan
        self._read = read
        self._runs_of_trials = trials
        self._groups = {i: _Group(i, name) for i, name in group_names(plan).items()}
        for trial in plan.trials:
            group = self._groups[trial.group_id]
            group.trials[trial.trial_id] = trial
            if trial.trial_id not in trials or not trials[trial.trial_id].is_over:
                group.waiting.add(trial.trial_id)
        planned = {trial.trial_id for trial in plan.trials}
        for trial_id, run in trials.items():
            former = self._groups.get(run.tags.get(GROUP_ID_TAG, ""))
            if former is not None and trial_id not in planned:
                former.unplanned.append(run)
        for group_id, runs in groups.items():
            # Runs of groups that are not planned any more stay as they are.
            if group_id in self._groups:
                group = self._groups[group_id]
                group.run, *group.spares = sorted(runs, key=partial(self._order, group))

    def _order(self, group: _Group, run: KnownRun) -> int:
        """The run to keep comes first: one that is up to date, then one that is unwritten."""
        if self._is_current(group, run):
            return 0
        return 1 if _is_blank(run) else 2

    def place(self, trial: PlannedTrial, start_ms: int | None) -> dict[str, str]:
        """Tags that put a trial's run below its group's, which is made if there is none.

        Args:
            trial: whose run it is.
            start_ms: when the group began, if this is its first trial.
        """
        group = self._groups[trial.group_id]
        return {
            PARENT_TAG: self._run_of(group, start_ms).run_id,
            NAME_TAG: trial_name(group.name, trial.config.seed),
            GROUP_ID_TAG: group.group_id,
            GROUP_TAG: trial.group,
        }

    def is_placed(self, trial: PlannedTrial, run: KnownRun) -> bool:
        """Whether a trial's run stands below its group's; runs of older versions do not."""
        group = self._groups[trial.group_id]
        return (
            group.run is not None
            and run.tags.get(PARENT_TAG) == group.run.run_id
            and run.tags.get(GROUP_ID_TAG) == group.group_id
        )

    def begin(self, trial: PlannedTrial) -> None:
        """Show that a group goes on with a trial; its run may have ended before."""
        group = self._groups[trial.group_id]
        group.waiting.add(trial.trial_id)
        if group.run is not None and group.run.status in ENDED:
            self._experiment.reopen(group.run)

    def remember(self, trial: PlannedTrial, record: TrialRecord) -> None:
        """Keep what the group's numbers need of a trial that has ended."""
        group = self._groups[trial.group_id]
        group.waiting.discard(trial.trial_id)
        group.members[trial.trial_id] = member_of(trial, record)

    def write_if_over(self, trial: PlannedTrial) -> None:
        """Write the run of a trial's group if this was the last of its planned trials."""
        group = self._groups[trial.group_id]
        if not group.waiting:
            self._update(group)
            self._settle(group)

    def finish(self, interrupted: bool) -> None:
        """Bring each group up to date whose trials have other ends than its run says.

        Args:
            interrupted: whether somebody waits for the end. Then only runs without numbers are
                written; what takes a request per trial is left to the next run of the sweep.
        """
        for group in self._groups.values():
            blank = group.run is None or _is_blank(group.run)
            if self._ended(group) and (blank or not interrupted):
                self._update(group)
            if not interrupted:
                self._settle(group)

    def interrupt(self) -> None:
        """Mark the runs of groups that are still open as killed, so that none stays open."""
        for group in self._groups.values():
            if group.run is not None and group.run.status not in ENDED:
                self._experiment.end(group.run, "KILLED", None)

    def _ended(self, group: _Group) -> list[KnownRun]:
        """Runs of a group's planned trials that are over, in the order of the plan."""
        runs = (self._runs_of_trials.get(trial_id) for trial_id in group.trials)
        return [run for run in runs if run is not None and run.is_over]

    def _is_over(self, group: _Group) -> bool:
        return len(self._ended(group)) == len(group.trials)

    def _digest(self, group: _Group) -> str:
        """Stands for the ends of the group's trials; made from their runs, to spare the store."""
        ends = [f"{len(group.trials)} planned"]
        for run in self._ended(group):
            outcome = {name: value for name, value in run.outcome.items() if name != ERROR_TAG}
            # When a trial failed changes no number, and a failure that cannot be read has no time.
            end = run.end_ms if run.status == FINISHED else None
            ends.append(json.dumps([run.tags[TRIAL_TAG], run.status, end, outcome], sort_keys=True))
        return hashlib.sha256("\n".join(sorted(ends)).encode()).hexdigest()[:16]

    def _is_current(self, group: _Group, run: KnownRun) -> bool:
        return run.has_metrics and run.tags.get(RESULTS_TAG) == self._digest(group)

    def _run_of(self, group: _Group, start_ms: int | None) -> KnownRun:
        if group.uncertain:
            self._look_for(group)
        if group.run is None:
            group.run = self._make(group, start_ms)
        return group.run

    def _look_for(self, group: _Group) -> None:
        """Find what a request has made whose answer was lost."""
        known = {run.run_id for run in (group.run, *group.spares) if run is not None}
        found = find_group(self._experiment.client, self._experiment.id, group.group_id)
        new = [run for run in found if run.run_id not in known]
        if group.run is None and new:
            group.run = new.pop()
        group.spares += new
        group.uncertain = False

    def _make(self, group: _Group, start_ms: int | None) -> KnownRun:
        trial = group.first
        tags = {
            **self._plan.tags,
            **source_tags(),
            KIND_TAG: "group",
            SWEEP_TAG: self._plan.name,
            GROUP_ID_TAG: group.group_id,
            "dataset": trial.config.dataset.name,
            "objective": trial.config.objective.name,
            "device": trial.config.device.name,
            COLOUR_TAG: colour([*self._groups].index(group.group_id)),
        }
        group.uncertain = True
        run = self._experiment.create(tags | group.names, start_ms)
        group.uncertain = False
        return run

    def _update(self, group: _Group) -> None:
        """Write the group's numbers, on a new run if it has others already."""
        ended = self._ended(group)
        started = min((run.start_ms for run in ended if run.start_ms is not None), default=None)
        run = self._run_of(group, started)
        if not self._is_current(group, run):
            if not _is_blank(run):
                made = self._make(group, started)
                group.spares.append(run)
                group.run = run = made
            self._write(group, run)
        finished = any(trial.status == FINISHED for trial in ended)
        status = "KILLED" if not self._is_over(group) else FINISHED if finished else "FAILED"
        if run.status != status:
            self._experiment.end(run, status, max(trial.end_ms or 0 for trial in ended) or None)

    def _write(self, group: _Group, run: KnownRun) -> None:
        over = {run.tags[TRIAL_TAG] for run in self._ended(group)}
        members = [self._member(group, trial) for i, trial in group.trials.items() if i in over]
        waiting = [Row(trial) for i, trial in group.trials.items() if i not in over]
        rows = [*(member.row for member in members), *waiting]
        points = group_points(rows, members, with_curve=not waiting)
        params = {n: text for n, text in parameters(group.first.config).items() if n != "seed"}
        # The tag says that all of the numbers are there, and is sent with the last of them.
        tags = group_tags(rows) | {RESULTS_TAG: self._digest(group)}
        self._experiment.log(run, points, params, tags)
        if not waiting:
            group.members.clear()

    def _member(self, group: _Group, trial: PlannedTrial) -> Member:
        found = group.members.get(trial.trial_id)
        if found is None:
            found = group.members[trial.trial_id] = member_of(trial, self._read(trial))
        return found

    def _settle(self, group: _Group) -> None:
        """Put the trials' runs below the group's run, name it, and delete its spare runs."""
        planned = {i: run for i in group.trials if (run := self._runs_of_trials.get(i)) is not None}
        if not planned and group.run is None:
            return
        starts = [run.start_ms for run in planned.values() if run.start_ms is not None]
        parent = self._run_of(group, min(starts, default=None))
        for trial_id, run in planned.items():
            if not self.is_placed(group.trials[trial_id], run):
                self._experiment.log(run, tags=self.place(group.trials[trial_id], None))
        for run in group.unplanned:
            if run.tags.get(PARENT_TAG) != parent.run_id:
                self._experiment.log(run, tags={PARENT_TAG: parent.run_id})
        # Other values of a setting can change what a group is called.
        if any(parent.tags.get(name) != value for name, value in group.names.items()):
            self._experiment.log(parent, tags=group.names)
        while group.spares:
            self._experiment.delete(group.spares[-1])
            group.spares.pop()


def _is_blank(run: KnownRun) -> bool:
    return RESULTS_TAG not in run.tags and not run.has_metrics
