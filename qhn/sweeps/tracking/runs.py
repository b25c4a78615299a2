"""Writes the MLflow runs of a sweep: one for the sweep, one for each group, one for each trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.content import STOPPED_TAG, outcome_tags, parameters, posterior_csv
from qhn.sweeps.tracking.experiment import Experiment
from qhn.sweeps.tracking.failures import tracking_errors
from qhn.sweeps.tracking.groups import GroupRuns
from qhn.sweeps.tracking.known_runs import (
    ENDED,
    FINISHED,
    KnownRun,
    find_trial,
    load_runs,
    steps_of,
)
from qhn.sweeps.tracking.lane_content import lane_metrics, lane_tags
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.names import (
    KIND_TAG,
    NAME_TAG,
    NOTE_TAG,
    SWEEP_TAG,
    TRIAL_TAG,
    source_tags,
)
from qhn.sweeps.tracking.note import sweep_note
from qhn.sweeps.tracking.pages import page_links, page_tags


class SweepRuns:
    """Writes one sweep to MLflow. Only one process at a time may do so.

    Every operation makes MLflow agree with the store, and can be repeated: runs are looked up by
    the tag ``qhn.trial_id`` before they are made, and a step that a run has is not sent again.

    Args:
        location: the tracking store.
        plan: the plan of the sweep, whose name is also that of its experiment. Runs that are
            tagged with a former id of a trial get the present one.
        read: returns what the store has of a trial. It is used for the numbers of groups with
            trials that ended before this process began.
        own: called with the experiment before anything is read of its runs. It makes sure that
            nobody else writes them. None if nobody else can.

    Raises:
        TrackingError: from every method, if the tracking store cannot be used.
    """

    def __init__(
        self,
        location: TrackingLocation,
        plan: Plan,
        read: Callable[[PlannedTrial], TrialRecord],
        own: Callable[[Experiment], None] | None = None,
    ) -> None:
        self._location = location
        self._plan = plan
        self._read = read
        # Trials whose run was requested and no answer came: the run may exist, or not.
        self._uncertain: set[str] = set()
        self._experiment = Experiment(location, plan.name)
        if own is not None:
            own(self._experiment)
        with tracking_errors(location):
            self._load()
            self._experiment.set_tags(page_tags(plan))
            if NOTE_TAG not in self._experiment.tags:
                self._describe(sweep_note(plan, (), None))

    @property
    def experiment_id(self) -> str:
        """MLflow's id of the sweep's experiment."""
        return self._experiment.id

    @property
    def doubtful(self) -> bool:
        """Whether MLflow may have other runs than this process knows of.

        A request whose answer was lost may have had its effect, even after it was repeated.
        """
        return self._experiment.doubtful

    def settle_doubts(self) -> None:
        """If MLflow may have other runs than this process knows of, read all runs again."""
        if self._experiment.doubtful:
            with tracking_errors(self._location):
                self._load()

    def _load(self) -> None:
        """Read which runs MLflow has. Of several runs of a trial, one is kept."""
        plan, experiment = self._plan, self._experiment
        experiment.go_on()
        # Before the reading: it must not cover up what comes to be doubtful meanwhile.
        experiment.believe()
        try:
            former_ids = {t.former_id: t.trial_id for t in plan.trials if t.former_id is not None}
            known = load_runs(experiment.client, experiment.id, former_ids)
            self._trials = known.trials
            self._uncertain.clear()
            self._groups = GroupRuns(experiment, plan, self._read, known.groups, self._trials)
            self._sweep = self._open_sweep(known.sweep)
        except BaseException:
            experiment.doubt()
            raise

    def _load_if_outdated(self) -> None:
        if self._experiment.outdated:
            self._load()

    def _open_sweep(self, found: KnownRun | None) -> KnownRun:
        if found is None:
            name = self._plan.name
            tags = {SWEEP_TAG: name, KIND_TAG: "sweep", NAME_TAG: name}
            return self._experiment.create({**self._plan.tags, **source_tags(), **tags}, None)
        if found.status != "RUNNING":
            self._experiment.reopen(found)
        return found

    def _describe(self, note: str) -> None:
        """Set the description of the experiment, below a line of links to its pages."""
        links = page_links(self._plan, self._experiment.id, self._sweep.run_id)
        self._experiment.set_tags({NOTE_TAG: f"{links}\n\n{note}"})

    def unfinished(self, trial_ids: set[str]) -> set[str]:
        """Those of the trials whose run may lack something that the store has.

        These include trials that were stopped early: if the rule of the sweep has changed since,
        the store may have a later end. If nothing is new, `project` leaves the run as it is.
        """
        return {
            trial
            for trial in trial_ids
            if trial not in self._trials or not self._trials[trial].whole
        }

    def project(self, trial: PlannedTrial, record: TrialRecord) -> None:
        """Write what the run of a trial lacks. If its group is complete, write the group's run.

        Args:
            trial: the trial.
            record: what the store has of it.
        """
        with tracking_errors(self._location):
            self._load_if_outdated()
            run = self._find(trial.trial_id)
            if run is not None and (run.whole or _is_same_stop(run, record)):
                return
            if run is None:
                run = self._begin(trial, record)
            if record.result is None and record.error is None:
                self._groups.begin(trial)
            if run.status in ENDED and record.error is None:
                self._experiment.reopen(run)
            # The status comes last: a run that has ended in MLflow has everything. If the writer is
            # killed before, the next one sees an open run and goes on with it.
            self._send(run, trial, record)
            if record.result is not None:
                posterior = posterior_csv(record.result)
                self._experiment.write_artifact(run, "posterior.csv", posterior)
                self._experiment.end(run, FINISHED, record.result.finished_ms)
            elif record.error is not None:
                self._experiment.end(run, "FAILED", record.error.failed_ms)
            if run.is_over:
                self._groups.remember(trial, record)
                self._groups.write_if_over(trial)

    def _find(self, trial_id: str) -> KnownRun | None:
        if trial_id in self._uncertain:
            found = find_trial(self._experiment.client, self._experiment.id, trial_id)
            if found is not None:
                self._trials[trial_id] = found
            self._uncertain.discard(trial_id)
        return self._trials.get(trial_id)

    def _begin(self, trial: PlannedTrial, record: TrialRecord) -> KnownRun:
        config = trial.config
        start = record.history.timestamps[0] if len(record.history) else None
        tags = {
            **source_tags(),
            KIND_TAG: "trial",
            SWEEP_TAG: self._plan.name,
            TRIAL_TAG: trial.trial_id,
            "dataset": config.dataset.name,
            "objective": config.objective_name,
            "device": config.device.name,
        }
        tags |= self._groups.place(trial, start)
        # If the answer to this request is lost, the run exists and we do not know it. `_find` then
        # looks for it, before a second one is made.
        self._uncertain.add(trial.trial_id)
        run = self._trials[trial.trial_id] = self._experiment.create(tags, start)
        self._uncertain.discard(trial.trial_id)
        return run

    def _send(self, run: KnownRun, trial: PlannedTrial, record: TrialRecord) -> None:
        outcome = outcome_tags(record)
        # Tags of a former end are set to the empty text and not deleted: MLflow refuses to delete a
        # tag that is not there, so that request could not be repeated.
        tags = dict.fromkeys(run.outcome.keys() - outcome.keys(), "") | outcome
        if not self._groups.is_placed(trial, run):
            start = record.history.timestamps[0] if len(record.history) else None
            tags |= self._groups.place(trial, start)
        params = {} if run.described else parameters(trial.config)
        sent = steps_of(self._experiment.client, run)
        points = [
            (name, value, stamp, step)
            for step, stamp, values in record.history.items()
            if step not in sent
            for name, value in values.items()
            # MLflow would sort NaN among the numbers.
            if math.isfinite(value)
        ]
        if record.result is not None:
            # These are known at the end only, and have one point each.
            points += [
                (name, value, record.result.finished_ms, record.result.steps)
                for name, value in lane_metrics(record.result).items()
            ]
        self._experiment.log(run, points, params, tags | lane_tags(record.result))
        run.described = True

    def finish_groups(self, interrupted: bool = False) -> None:
        """Bring the run of each group up to date with the ends of its trials.

        Args:
            interrupted: whether the sweep was stopped, so that somebody waits for its end. Then
                groups that have numbers keep them until the next run of the sweep.
        """
        with tracking_errors(self._location):
            self._groups.finish(interrupted)

    @contextmanager
    def stopping(self, stopped: Callable[[], bool]) -> Iterator[None]:
        """Let the work in this context be stopped between two requests.

        Args:
            stopped: asked before each request, in the thread that does the work. If it returns
                True, a `TrackingError` is raised in place of the request.
        """
        self._experiment.stopped = stopped
        try:
            yield
        finally:
            self._experiment.stopped = None

    def interrupt(self) -> None:
        """Mark all runs of trials and groups that are still open as killed."""
        with tracking_errors(self._location):
            self._load_if_outdated()
            for run in self._trials.values():
                if run.status not in ENDED:
                    self._experiment.end(run, "KILLED", None)
            self._groups.interrupt()

    def close(
        self,
        status: str,
        artifacts: Mapping[str, str],
        tags: Mapping[str, str],
        note: str | None = None,
    ) -> None:
        """Write the runs of groups and the run of the sweep.

        Args:
            status: the status of the sweep's run: ``FINISHED``, ``FAILED`` or ``KILLED``.
            artifacts: texts to keep with the sweep's run, by file name.
            tags: tags of the sweep's run.
            note: the sweep's results as Markdown, for the sweep's run and the experiment. None if
                the sweep failed as a whole; then groups and descriptions stay as they are.
        """
        if note is not None:
            self.settle_doubts()
            self.finish_groups(interrupted=status == "KILLED")
        with tracking_errors(self._location):
            for name, text in artifacts.items():
                self._experiment.write_artifact(self._sweep, name, text)
            described = {} if note is None else {NOTE_TAG: note}
            self._experiment.log(self._sweep, tags={**self._plan.tags, **tags, **described})
            if note is not None:
                self._describe(note)
            self._experiment.end(self._sweep, status, None)


def _is_same_stop(run: KnownRun, record: TrialRecord) -> bool:
    """Whether a run says that its trial was stopped early, and the store has the same stop."""
    result = record.result
    return (
        run.status == FINISHED
        and result is not None
        and result.status == "stopped"
        and run.tags.get(STOPPED_TAG) == str(result.steps)
    )
