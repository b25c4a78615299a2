"""The runs of one sweep in MLflow: an experiment, a parent run, and one child run per trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from qhn.core.errors import TrackingError
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.connection import connect
from qhn.sweeps.tracking.content import STOPPED_TAG, outcome_tags, parameters, posterior_csv
from qhn.sweeps.tracking.database import PRIVATE_FOLDER
from qhn.sweeps.tracking.failures import tracking_errors
from qhn.sweeps.tracking.known_runs import (
    FINISHED,
    KIND_TAG,
    TRIAL_TAG,
    KnownRun,
    find_run,
    load_runs,
    steps_of,
)
from qhn.sweeps.tracking.location import TrackingLocation

_ENDED = {FINISHED, "FAILED", "KILLED"}
_METRICS_PER_REQUEST = 800
_NO_FORMER_IDS: Mapping[str, str] = MappingProxyType({})


class SweepRuns:
    """Writes one sweep to MLflow; only one process at a time may do so.

    Every operation brings MLflow to what the store says and may be repeated: runs are looked up
    by the tag ``qhn.trial_id`` before they are made, and a step that a run has is not sent again.

    Args:
        location: the tracking store.
        sweep: the sweep's name, which is its experiment's.
        former_ids: trial id by the id that an earlier version of qhn gave the same trial; runs
            with such an id are adopted and tagged anew.

    Raises:
        TrackingError: from every method, if the tracking store cannot be used.
    """

    def __init__(
        self,
        location: TrackingLocation,
        sweep: str,
        former_ids: Mapping[str, str] = _NO_FORMER_IDS,
    ) -> None:
        self._location = location
        self._sweep = sweep
        self._uncertain: set[str] = set()
        self._client = connect(location)
        with tracking_errors(location):
            self._experiment = self._find_experiment()
            parent, self._children = load_runs(self._client, self._experiment, former_ids)
            self._parent = self._open_parent(parent)

    @property
    def experiment_id(self) -> str:
        """MLflow's id of the sweep's experiment."""
        return self._experiment

    def _find_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._sweep)
        if found is None:
            artifacts = self._location.artifacts
            if artifacts is not None:
                artifacts.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            place = None if artifacts is None else (artifacts / self._sweep).as_uri()
            return str(self._client.create_experiment(self._sweep, artifact_location=place))
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {self._sweep!r} was deleted; restore it with "
                f"`mlflow experiments restore -x {found.experiment_id}`, or rename the sweep"
            )
        return str(found.experiment_id)

    def _open_parent(self, found: KnownRun | None) -> KnownRun:
        if found is None:
            tags = {"qhn.sweep": self._sweep, KIND_TAG: "sweep", "mlflow.runName": self._sweep}
            return self._create(tags, None)
        if found.status != "RUNNING":
            self._reopen(found)
        return found

    def _create(self, tags: Mapping[str, str], start_ms: int | None) -> KnownRun:
        made = self._client.create_run(self._experiment, start_time=start_ms, tags=dict(tags))
        info = made.info
        trial_id = tags.get(TRIAL_TAG)
        return KnownRun(info.run_id, info.artifact_uri, info.status, trial_id, steps=set())

    def unfinished(self, trial_ids: set[str]) -> set[str]:
        """Those of the trials whose run may lack something that the store has.

        A run that a stop has ended is among them: the store may know of a later end, where the
        sweep's rule has changed. `project` leaves the run as it is where nothing is new.
        """
        return {
            trial
            for trial in trial_ids
            if trial not in self._children or not self._children[trial].whole
        }

    def project(self, trial: PlannedTrial, record: TrialRecord) -> None:
        """Bring the trial's run to what the store says."""
        with tracking_errors(self._location):
            run = self._find(trial.trial_id)
            if run is None:
                run = self._begin(trial, record)
            if run.whole or (run.status == FINISHED and _same_stop(run, record)):
                return
            if run.status in _ENDED and record.error is None:
                self._reopen(run)
            self._send(run, trial, record)
            if record.result is not None:
                self._write_artifact(run, "posterior.csv", posterior_csv(record.result))
                self._end(run, FINISHED, record.result.finished_ms)
            elif record.error is not None:
                self._end(run, "FAILED", record.error.failed_ms)

    def _find(self, trial_id: str) -> KnownRun | None:
        if trial_id in self._uncertain:
            found = find_run(self._client, self._experiment, trial_id)
            if found is not None:
                self._children[trial_id] = found
            self._uncertain.discard(trial_id)
        return self._children.get(trial_id)

    def _begin(self, trial: PlannedTrial, record: TrialRecord) -> KnownRun:
        config = trial.config
        tags = {
            "mlflow.parentRunId": self._parent.run_id,
            "mlflow.runName": trial.label,
            KIND_TAG: "trial",
            "qhn.sweep": self._sweep,
            TRIAL_TAG: trial.trial_id,
            "qhn.group": trial.group,
            "dataset": config.dataset.name,
            "objective": config.objective.name,
            "device": config.device.name,
        }
        start = record.history.timestamps[0] if len(record.history) else None
        # An answer that is lost on the way back leaves a run that nobody knows of.
        self._uncertain.add(trial.trial_id)
        run = self._children[trial.trial_id] = self._create(tags, start)
        self._uncertain.discard(trial.trial_id)
        return run

    def _reopen(self, run: KnownRun) -> None:
        # Tags of the former end stay until `_send`: a writer that is killed in between must leave
        # nothing that looks like a trial trained to its end.
        self._client.update_run(run.run_id, status="RUNNING")
        run.status = "RUNNING"

    def _send(self, run: KnownRun, trial: PlannedTrial, record: TrialRecord) -> None:
        from mlflow.entities import Metric, Param, RunTag

        outcome = outcome_tags(record)
        # Emptied, not deleted: a request that may be repeated must not mind having been made.
        emptied = dict.fromkeys(run.outcome.keys() - outcome.keys(), "")
        tags = [RunTag(name, value) for name, value in (emptied | outcome).items()]
        params = [] if run.described else [Param(*p) for p in parameters(trial.config).items()]
        sent = steps_of(self._client, run)
        rows = [
            (step, [Metric(name, value, stamp, step) for name, value in values.items()])
            for step, stamp, values in record.history.items()
            if step not in sent
        ]
        while rows or params or tags:
            # Whole steps per request: a request is stored as one transaction.
            count = max(1, _METRICS_PER_REQUEST // max(1, len(rows[0][1]))) if rows else 0
            metrics = [metric for _, row in rows[:count] for metric in row]
            self._client.log_batch(run.run_id, metrics=metrics, params=params, tags=tags)
            sent.update(step for step, _ in rows[:count])
            run.described, run.outcome = True, outcome
            rows, params, tags = rows[count:], [], []

    def _write_artifact(self, run: KnownRun, name: str, text: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        # The public `log_text` asks the store once more, for each run, where its artifacts are:
        # 4.4 ms instead of 0.8 ms on SQLite, and two requests instead of one to a server.
        repository = get_artifact_repository(run.artifact_uri, tracking_uri=self._location.uri)
        with TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_text(text, encoding="utf-8")
            repository.log_artifact(str(path))

    def _end(self, run: KnownRun, status: str, end_ms: int | None) -> None:
        self._client.set_terminated(run.run_id, status=status, end_time=end_ms)
        run.status = status

    def interrupt(self) -> None:
        """Mark every run that is neither finished nor failed as killed, so that none stays open."""
        with tracking_errors(self._location):
            for run in self._children.values():
                if run.status not in _ENDED:
                    self._end(run, "KILLED", None)

    def close_parent(
        self, status: str, artifacts: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Write the sweep's own run: its artifacts by name, its tags, its status."""
        from mlflow.entities import RunTag

        with tracking_errors(self._location):
            for name, text in artifacts.items():
                self._write_artifact(self._parent, name, text)
            self._client.log_batch(self._parent.run_id, tags=[RunTag(*tag) for tag in tags.items()])
            self._end(self._parent, status, None)


def _same_stop(run: KnownRun, record: TrialRecord) -> bool:
    """Whether the store knows no other end of the trial than the stop that ended the run."""
    result = record.result
    return (
        result is not None
        and result.status == "stopped"
        and run.outcome.get(STOPPED_TAG) == str(result.steps)
    )
