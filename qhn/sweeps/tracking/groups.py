"""Writes one MLflow run for each group: its numbers over seeds, with its trials' runs below."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.results.table import Row
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.content import group_parameters
from qhn.sweeps.tracking.experiment import Experiment
from qhn.sweeps.tracking.group_content import Member, group_points, group_tags, member_of
from qhn.sweeps.tracking.group_state import Group, is_blank
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

#: So many numbers of trials are kept in memory until their groups end: 64 MiB of doubles.
_MOST_VALUES_KEPT = 2**23


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
        self._groups = {i: Group(i, name, trials) for i, name in group_names(plan).items()}
        self._values_kept = 0
        for trial in plan.trials:
            self._groups[trial.group_id].plan(trial)
        planned = {trial.trial_id for trial in plan.trials}
        for trial_id, run in trials.items():
            former = self._groups.get(run.tags.get(GROUP_ID_TAG, ""))
            if former is not None and trial_id not in planned:
                former.unplanned.append(run)
        # Runs of groups that the sweep file does not ask for any more.
        self._former: list[KnownRun] = []
        for group_id, runs in groups.items():
            if group_id in self._groups:
                group = self._groups[group_id]
                group.run, *group.spares = sorted(runs, key=group.order)
            else:
                self._former += runs

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
            NAME_TAG: trial_name(group.name, trial.config.seed, trial.data_seed),
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
        group.open.discard(trial.trial_id)
        member = member_of(trial, record)
        # Seeds are the outermost loop of a plan, so nearly all groups end at the end of a sweep.
        # What is not kept until then is read from the store again.
        if self._values_kept + member.values.size <= _MOST_VALUES_KEPT:
            self._values_kept += member.values.size
            group.members[trial.trial_id] = member

    def write_if_over(self, trial: PlannedTrial) -> None:
        """Write the run of a trial's group if all planned trials of the group have ended."""
        group = self._groups[trial.group_id]
        if not group.waiting and self._update(group, only_if_over=True):
            self._settle(group)

    def finish(self, interrupted: bool) -> None:
        """Bring the run of each group up to date with the ends of its trials.

        Args:
            interrupted: whether the sweep was stopped, so that somebody waits for its end. Then
                only runs that have no numbers yet are written. What takes a request for each trial
                is left to the next run of the sweep.
        """
        for group in self._groups.values():
            group.open.clear()
            blank = group.run is None or is_blank(group.run)
            if group.ended() and (blank or not interrupted):
                self._update(group)
            if not interrupted:
                self._settle(group)
        if not interrupted:
            self._delete_childless()

    def interrupt(self) -> None:
        """Mark all runs of groups that are still open as killed."""
        for group in self._groups.values():
            if group.run is not None and group.run.status not in ENDED:
                self._experiment.end(group.run, "KILLED", None)

    def _run_of(self, group: Group, start_ms: int | None) -> KnownRun:
        if group.uncertain:
            self._look_for(group)
        if group.run is None:
            group.run = self._make(group, start_ms)
        return group.run

    def _look_for(self, group: Group) -> None:
        """Look for runs of a group that were made by a request whose answer was lost."""
        known = {run.run_id for run in (group.run, *group.spares) if run is not None}
        found = find_group(self._experiment.client, self._experiment.id, group.group_id)
        new = [run for run in found if run.run_id not in known]
        if group.run is None and new:
            group.run = new.pop()
        group.spares += new
        group.uncertain = False

    def _make(self, group: Group, start_ms: int | None) -> KnownRun:
        trial = group.first
        tags = {
            **self._plan.tags,
            **source_tags(),
            KIND_TAG: "group",
            SWEEP_TAG: self._plan.name,
            GROUP_ID_TAG: group.group_id,
            "dataset": trial.config.dataset.name,
            "objective": trial.config.objective_name,
            "device": trial.config.device.name,
            COLOUR_TAG: colour([*self._groups].index(group.group_id)),
        }
        # If `create` fails, this stays True: the answer may have been lost after the run was made.
        group.uncertain = True
        run = self._experiment.create(tags | group.names, start_ms)
        group.uncertain = False
        return run

    def _update(self, group: Group, only_if_over: bool = False) -> bool:
        """Write the numbers of a group, to a new run if the present one has other numbers.

        Args:
            group: any of whose trials has ended, by what MLflow says.
            only_if_over: write nothing if the store says that a trial has not ended after all.

        Returns:
            Whether the group's run has its numbers.
        """
        group.open.clear()
        started = min(
            (run.start_ms for run in group.ended() if run.start_ms is not None), default=None
        )
        run = self._run_of(group, started)
        if not group.is_current(run):
            members = self._read_members(group)
            if group.open:
                group.waiting |= group.open
                if only_if_over:
                    return False
            if not group.is_current(run):
                if not is_blank(run):
                    # The old run becomes a spare and is not deleted before the trials have their
                    # new parent (`_settle`), so that a kill in between never leaves them without.
                    made = self._make(group, started)
                    group.spares.append(run)
                    group.run = run = made
                self._write(group, run, members)
        ended = group.ended()
        finished = any(trial.status == FINISHED for trial in ended)
        status = "KILLED" if not group.is_over else FINISHED if finished else "FAILED"
        if run.status != status:
            end_ms = max((trial.end_ms or 0 for trial in ended), default=0)
            self._experiment.end(run, status, end_ms or None)
        return True

    def _read_members(self, group: Group) -> list[Member]:
        """What is needed of the trials that have ended, in the order of the plan.

        MLflow's word that a trial has ended is not enough. The trial may have failed and be trained
        again now, or its result may be lost. Numbers without it must never be marked as numbers
        with it, since nothing would correct them later. Such a trial is noted as open.
        """
        members = []
        for run in group.ended():
            trial = group.trials[run.tags[TRIAL_TAG]]
            member = group.members.get(trial.trial_id) or member_of(trial, self._read(trial))
            if member.row.status == "waiting":
                group.open.add(trial.trial_id)
            else:
                members.append(member)
        return members

    def _write(self, group: Group, run: KnownRun, members: list[Member]) -> None:
        over = {member.row.trial.trial_id for member in members}
        waiting = [Row(trial) for i, trial in group.trials.items() if i not in over]
        rows = [*(member.row for member in members), *waiting]
        points = group_points(rows, members, with_curve=not waiting)
        params = group_parameters(group.first)
        # The tag says that all numbers were written, and is sent with the last of them.
        tags = group_tags(rows) | {RESULTS_TAG: group.digest()}
        self._experiment.log(run, points, params, tags)
        # From now on the members are needed only if a trial goes on, and are then read again.
        if not waiting:
            self._values_kept -= sum(member.values.size for member in group.members.values())
            group.members.clear()

    def _delete_childless(self) -> None:
        """Delete runs of groups that are no longer planned, unless trials are still below them.

        A new rule for early stopping gives all groups other ids, for example. Their trials are
        below the new runs by now, and the old ones would stand in the leaderboard a second time.
        """
        parents = {run.tags.get(PARENT_TAG) for run in self._runs_of_trials.values()}
        for run in [run for run in self._former if run.run_id not in parents]:
            self._experiment.delete(run)
            self._former.remove(run)

    def _settle(self, group: Group) -> None:
        """Put the runs of trials below the group's run, name that run, and delete the spare ones.

        The spare runs come last: until then each trial's run has a parent that exists.
        """
        planned = group.placed_runs()
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
        # gets further groups. The file's own tags can change at any time.
        tags = {**self._plan.tags, **group.names}
        if any(parent.tags.get(name) != value for name, value in tags.items()):
            self._experiment.log(parent, tags=tags)
        while group.spares:
            self._experiment.delete(group.spares[-1])
            group.spares.pop()
