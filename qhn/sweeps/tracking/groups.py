"""Writes one MLflow run for each group: its numbers over seeds, with its trials' runs below."""

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
        group_id: a digest of the settings that its trials share.
        name: the name of its run.
        trials: its planned trials, by trial id.
        waiting: ids of its planned trials that have not ended. It is kept up to date, so that
            nobody has to look at all trials to learn whether the group is complete.
        run: the run that is kept; None if there is none yet.
        spares: further runs of the same group, which are to be deleted.
        unplanned: runs of trials that an earlier version of the sweep file planned for this group.
        uncertain: whether a run was requested and no answer came, so that there may be one more.
        members: what is needed of trials whose end this process has seen, by trial id.
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
        """One of the trials, for the settings that all of them share."""
        return next(iter(self.trials.values()))

    @property
    def names(self) -> dict[str, str]:
        """The tags with the name and the label of the group."""
        return {NAME_TAG: self.name, GROUP_TAG: self.first.group}


class GroupRuns:
    """Keeps one run for each group of a sweep up to date.

    MLflow cannot remove or change a metric that it has. So if a group has changed since its run was
    written, by more seeds for example, the run is made anew: a new run is written, the trials' runs
    get it as their parent, and the old run is deleted. The tag ``qhn.results`` is a digest of the
    trials and ends that the numbers were made from. If the writer is killed anywhere in between,
    the next one sees from this tag what is left to do.

    Runs of groups have no parent. They are not below the sweep's run, because MLflow's page shows
    only one level of nesting well, and its filters do not find runs below another one.

    Args:
        experiment: the experiment of the sweep.
        plan: the plan of the sweep.
        read: returns what the store has of a trial.
        groups: all runs that MLflow has of each group, by group id.
        trials: the run of each trial, by trial id. The caller keeps it up to date.
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
            # Runs of groups that the sweep file does not ask for any more stay as they are.
            if group_id in self._groups:
                group = self._groups[group_id]
                group.run, *group.spares = sorted(runs, key=partial(self._order, group))

    def _order(self, group: _Group, run: KnownRun) -> int:
        """Sort the runs of a group by which to keep: up to date, then empty, then outdated."""
        if self._is_current(group, run):
            return 0
        return 1 if _is_blank(run) else 2

    def place(self, trial: PlannedTrial, start_ms: int | None) -> dict[str, str]:
        """The tags that put a trial's run below the run of its group.

        If the group has no run yet, it is made.

        Args:
            trial: the trial.
            start_ms: the start of a new run of the group, in milliseconds since 1970; None for now.
        """
        group = self._groups[trial.group_id]
        return {
            PARENT_TAG: self._run_of(group, start_ms).run_id,
            NAME_TAG: trial_name(group.name, trial.config.seed),
            GROUP_ID_TAG: group.group_id,
            GROUP_TAG: trial.group,
        }

    def is_placed(self, trial: PlannedTrial, run: KnownRun) -> bool:
        """Whether a trial's run is below the run of its group.

        Runs that an older version of qhn has written are not, and neither are those whose group
        has got a new run.
        """
        group = self._groups[trial.group_id]
        return (
            group.run is not None
            and run.tags.get(PARENT_TAG) == group.run.run_id
            and run.tags.get(GROUP_ID_TAG) == group.group_id
        )

    def begin(self, trial: PlannedTrial) -> None:
        """Note that a trial of a group is being trained, and reopen the group's run if it ended."""
        group = self._groups[trial.group_id]
        group.waiting.add(trial.trial_id)
        if group.run is not None and group.run.status in ENDED:
            self._experiment.reopen(group.run)

    def remember(self, trial: PlannedTrial, record: TrialRecord) -> None:
        """Keep what is needed of a trial that has ended for the numbers of its group."""
        group = self._groups[trial.group_id]
        group.waiting.discard(trial.trial_id)
        group.members[trial.trial_id] = member_of(trial, record)

    def write_if_over(self, trial: PlannedTrial) -> None:
        """Write the run of a trial's group if all planned trials of the group have ended."""
        group = self._groups[trial.group_id]
        if not group.waiting:
            self._update(group)
            self._settle(group)

    def finish(self, interrupted: bool) -> None:
        """Bring the run of each group up to date with the ends of its trials.

        Args:
            interrupted: whether the sweep was stopped, so that somebody waits for its end. Then
                only runs that have no numbers yet are written. What takes a request for each trial
                is left to the next run of the sweep.
        """
        for group in self._groups.values():
            blank = group.run is None or _is_blank(group.run)
            if self._ended(group) and (blank or not interrupted):
                self._update(group)
            if not interrupted:
                self._settle(group)

    def interrupt(self) -> None:
        """Mark all runs of groups that are still open as killed."""
        for group in self._groups.values():
            if group.run is not None and group.run.status not in ENDED:
                self._experiment.end(group.run, "KILLED", None)

    def _ended(self, group: _Group) -> list[KnownRun]:
        """The runs of the group's planned trials that have ended, in the order of the plan."""
        runs = (self._runs_of_trials.get(trial_id) for trial_id in group.trials)
        return [run for run in runs if run is not None and run.is_over]

    def _is_over(self, group: _Group) -> bool:
        return len(self._ended(group)) == len(group.trials)

    def _digest(self, group: _Group) -> str:
        """A digest of how the group's trials ended.

        It is made from the runs of the trials, which are in memory, so that the store need not be
        read to learn that nothing has changed.
        """
        ends = [f"{len(group.trials)} planned"]
        for run in self._ended(group):
            outcome = {name: value for name, value in run.outcome.items() if name != ERROR_TAG}
            # The time of a failure is left out: no number depends on it, and if the file with the
            # error cannot be read any more, the time is not known.
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
        """Look for runs of a group that were made by a request whose answer was lost."""
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
        # If `create` fails, this stays True: the answer may have been lost after the run was made.
        group.uncertain = True
        run = self._experiment.create(tags | group.names, start_ms)
        group.uncertain = False
        return run

    def _update(self, group: _Group) -> None:
        """Write the numbers of a group, to a new run if the present one has other numbers."""
        ended = self._ended(group)
        started = min((run.start_ms for run in ended if run.start_ms is not None), default=None)
        run = self._run_of(group, started)
        if not self._is_current(group, run):
            if not _is_blank(run):
                # The old run becomes a spare and is not deleted before the trials have their new
                # parent (`_settle`), so that a kill in between never leaves them without one.
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
        # The tag says that all numbers were written, and is sent with the last of them.
        tags = group_tags(rows) | {RESULTS_TAG: self._digest(group)}
        self._experiment.log(run, points, params, tags)
        # From now on the members are needed only if a trial goes on, and are then read again.
        if not waiting:
            group.members.clear()

    def _member(self, group: _Group, trial: PlannedTrial) -> Member:
        found = group.members.get(trial.trial_id)
        if found is None:
            found = group.members[trial.trial_id] = member_of(trial, self._read(trial))
        return found

    def _settle(self, group: _Group) -> None:
        """Put the runs of trials below the group's run, name that run, and delete the spare ones.

        The spare runs come last: until then each trial's run has a parent that exists.
        """
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
        # The name of a group says how it differs from others, so it can change when the sweep file
        # gets further groups.
        if any(parent.tags.get(name) != value for name, value in group.names.items()):
            self._experiment.log(parent, tags=group.names)
        while group.spares:
            self._experiment.delete(group.spares[-1])
            group.spares.pop()


def _is_blank(run: KnownRun) -> bool:
    return RESULTS_TAG not in run.tags and not run.has_metrics
