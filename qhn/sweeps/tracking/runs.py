"""The runs of one sweep in MLflow: an experiment, a parent run, and one child run per trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from qhn.core.errors import TrackingError
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.connection import connect
from qhn.sweeps.tracking.content import outcome_tags, parameters, posterior_csv
from qhn.sweeps.tracking.location import TrackingLocation

ENDED = {"FINISHED", "FAILED", "KILLED"}
_METRICS_PER_REQUEST = 800
_PAGE = 1000
_CREDENTIALS = (
    "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
)


@dataclass
class _Run:
    """A run as this process knows it: identity, status, and the steps it has."""

    run_id: str
    artifact_uri: str
    status: str
    steps: set[int] = field(default_factory=set)
    described: bool = False

    @property
    def fullness(self) -> tuple[bool, int]:
        """Order of runs of the same trial: finished before unfinished, more steps before fewer."""
        return (self.status == "FINISHED", len(self.steps))


class SweepRuns:
    """Writes one sweep to MLflow; only one process at a time may do so.

    Every operation brings MLflow to what the store says and may be repeated: runs are looked up
    by the tag ``qhn.trial_id`` before they are made, and a step that a run has is not sent again.

    Raises:
        TrackingError: from every method, if the tracking store cannot be used.
    """

    def __init__(self, location: TrackingLocation, sweep: str) -> None:
        self._location = location
        self._sweep = sweep
        self._children: dict[str, _Run] = {}
        self._uncertain: set[str] = set()
        with self._errors():
            self._client = connect(location)
            self._experiment = self._find_experiment()
            self._load_runs()

    @property
    def experiment_id(self) -> str:
        """MLflow's id of the sweep's experiment."""
        return self._experiment

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            yield
        except (MlflowException, OSError) as error:
            text = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            text = self._location.without_credentials(text)
            refused = any(f"error code {code}" in text for code in (401, 403))
            raise TrackingError(
                f"the tracking store {self._location.shown} must be usable, but MLflow says: {text}"
                + (_CREDENTIALS if refused else "")
            ) from error

    def _find_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._sweep)
        if found is None:
            artifacts = self._location.artifacts
            place = None if artifacts is None else (artifacts / self._sweep).as_uri()
            return str(self._client.create_experiment(self._sweep, artifact_location=place))
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {self._sweep!r} was deleted; restore it with "
                f"`mlflow experiments restore -x {found.experiment_id}`, or rename the sweep"
            )
        return str(found.experiment_id)

    def _load_runs(self) -> None:
        parent: _Run | None = None
        token = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=_PAGE, page_token=token)
            for found in page:
                run = _Run(found.info.run_id, found.info.artifact_uri, found.info.status)
                tags = found.data.tags
                if tags.get("qhn.kind") == "sweep":
                    parent = run
                elif (trial := tags.get("qhn.trial_id")) is not None:
                    self._adopt(trial, run)
            token = page.token
            if not token:
                break
        if parent is None:
            tags = {"qhn.sweep": self._sweep, "qhn.kind": "sweep", "mlflow.runName": self._sweep}
            parent = self._create(tags, None)
        elif parent.status != "RUNNING":
            self._client.update_run(parent.run_id, status="RUNNING")
        self._parent = parent

    def _adopt(self, trial_id: str, run: _Run) -> None:
        if run.status != "FINISHED":
            points = self._client.get_metric_history(run.run_id, "objective")
            run.steps = {point.step for point in points}
        known = self._children.setdefault(trial_id, run)
        if known.run_id != run.run_id:
            # A request that was repeated on its way made two; the fuller one stays.
            kept, spare = (known, run) if known.fullness >= run.fullness else (run, known)
            self._children[trial_id] = kept
            self._client.delete_run(spare.run_id)

    def _create(self, tags: Mapping[str, str], start_ms: int | None) -> _Run:
        made = self._client.create_run(self._experiment, start_time=start_ms, tags=dict(tags))
        return _Run(made.info.run_id, made.info.artifact_uri, made.info.status)

    def unfinished(self, trial_ids: set[str]) -> set[str]:
        """Those of the trials that have no finished run yet."""
        return {
            trial
            for trial in trial_ids
            if trial not in self._children or self._children[trial].status != "FINISHED"
        }

    def project(self, trial: PlannedTrial, record: TrialRecord) -> None:
        """Bring the trial's run to what the store says."""
        with self._errors():
            run = self._find(trial.trial_id)
            if run is None:
                run = self._begin(trial, record)
            if run.status == "FINISHED":
                return
            if run.status in ENDED and record.error is None:
                self._reopen(run)
            self._send(run, trial, record)
            if record.result is not None:
                self._write_artifact(run, "posterior.csv", posterior_csv(record.result))
                self._end(run, "FINISHED", record.result.finished_ms)
            elif record.error is not None:
                self._end(run, "FAILED", record.error.failed_ms)

    def _find(self, trial_id: str) -> _Run | None:
        if trial_id in self._uncertain:
            made = self._client.search_runs(
                [self._experiment], f"tags.`qhn.trial_id` = '{trial_id}'"
            )
            for found in made:
                run = _Run(found.info.run_id, found.info.artifact_uri, found.info.status)
                self._adopt(trial_id, run)
            self._uncertain.discard(trial_id)
        return self._children.get(trial_id)

    def _begin(self, trial: PlannedTrial, record: TrialRecord) -> _Run:
        config = trial.config
        tags = {
            "mlflow.parentRunId": self._parent.run_id,
            "mlflow.runName": trial.label,
            "qhn.kind": "trial",
            "qhn.sweep": self._sweep,
            "qhn.trial_id": trial.trial_id,
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

    def _reopen(self, run: _Run) -> None:
        if run.status == "FAILED":
            # Emptied, not deleted: a request that may be repeated must not mind having been made.
            self._client.set_tag(run.run_id, "qhn.error", "")
        self._client.update_run(run.run_id, status="RUNNING")
        run.status = "RUNNING"

    def _send(self, run: _Run, trial: PlannedTrial, record: TrialRecord) -> None:
        from mlflow.entities import Metric, Param, RunTag

        tags = [RunTag(name, value) for name, value in outcome_tags(record).items()]
        params = [] if run.described else [Param(*p) for p in parameters(trial.config).items()]
        rows = [
            (step, [Metric(name, value, stamp, step) for name, value in values.items()])
            for step, stamp, values in record.history.items()
            if step not in run.steps
        ]
        while rows or params or tags:
            # Whole steps per request: a request is stored as one transaction.
            count = max(1, _METRICS_PER_REQUEST // len(rows[0][1])) if rows else 0
            metrics = [metric for _, row in rows[:count] for metric in row]
            self._client.log_batch(run.run_id, metrics=metrics, params=params, tags=tags)
            run.steps.update(step for step, _ in rows[:count])
            run.described = True
            rows, params, tags = rows[count:], [], []

    def _write_artifact(self, run: _Run, name: str, text: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        # The client would ask the server once more where the run keeps its artifacts.
        repository = get_artifact_repository(run.artifact_uri, tracking_uri=self._location.uri)
        with TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_text(text, encoding="utf-8")
            repository.log_artifact(str(path))

    def _end(self, run: _Run, status: str, end_ms: int | None) -> None:
        self._client.set_terminated(run.run_id, status=status, end_time=end_ms)
        run.status = status

    def interrupt(self) -> None:
        """Mark every run that is neither finished nor failed as killed, so that none stays open."""
        with self._errors():
            for run in self._children.values():
                if run.status not in ENDED:
                    self._end(run, "KILLED", None)

    def close_parent(
        self, status: str, artifacts: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Write the sweep's own run: its artifacts by name, its tags, its status."""
        from mlflow.entities import RunTag

        with self._errors():
            for name, text in artifacts.items():
                self._write_artifact(self._parent, name, text)
            self._client.log_batch(self._parent.run_id, tags=[RunTag(*tag) for tag in tags.items()])
            self._end(self._parent, status, None)
