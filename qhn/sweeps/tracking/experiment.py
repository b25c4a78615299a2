"""The MLflow experiment of a sweep, and the few kinds of requests with which runs are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking.connection import connect
from qhn.sweeps.tracking.database import PRIVATE_FOLDER
from qhn.sweeps.tracking.failures import tracking_errors
from qhn.sweeps.tracking.known_runs import ENDED, KnownRun
from qhn.sweeps.tracking.location import TrackingLocation

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, RunTag

# MLflow accepts 1,000 in a request. The reports of one step are never divided, so there is room
# left for them.
_METRICS_PER_REQUEST = 800


class Experiment:
    """The experiment of one sweep. If it is missing, it is made.

    Args:
        location: the tracking store.
        name: the name of the sweep, which is also the name of the experiment.

    Attributes:
        client: MLflow's client, which sends all requests.
        id: MLflow's id of the experiment.
        stopped: asked before each request that writes. If it returns True, a `TrackingError` is
            raised in place of the request, as if the tracking store had failed. None if the work
            is never stopped.
        may_write: called before each request that writes. It raises a `TrackingError` while the
            sweep is not ours to write. None if nobody else can write it.
        doubtful: whether a request that writes has failed since `believe` was called last. Such a
            request may have had its effect, or may have it later.
        outdated: whether others may have written since `believe` was called last. Then every
            request that writes raises a `TrackingError`.

    Raises:
        TrackingError: if the tracking store cannot be used, or the experiment was deleted.
    """

    def __init__(self, location: TrackingLocation, name: str) -> None:
        self._location = location
        self.stopped: Callable[[], bool] | None = None
        self.may_write: Callable[[], None] | None = None
        self.doubtful = False
        self.outdated = False
        self.client = connect(location)
        with tracking_errors(location):
            self.id, self._tags = self._find(name)

    def _find(self, name: str) -> tuple[str, dict[str, str]]:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            artifacts = self._location.artifacts
            if artifacts is not None:
                artifacts.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            place = None if artifacts is None else (artifacts / name).as_uri()
            try:
                return str(self.client.create_experiment(name, artifact_location=place)), {}
            except MlflowException:
                # Another writer may have made it just now. Names are unique, so there is only one.
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {name!r} was deleted; restore it with "
                f"`mlflow experiments restore -x {found.experiment_id}`, or rename the sweep"
            )
        return str(found.experiment_id), dict(found.tags)

    @property
    def tags(self) -> Mapping[str, str]:
        """The experiment's own tags."""
        return self._tags

    def doubt(self) -> None:
        """Note that others may have written to the experiment."""
        self.doubtful = self.outdated = True

    def believe(self) -> None:
        """Note that everything in the experiment is about to be read again."""
        self.doubtful = self.outdated = False

    def go_on(self) -> None:
        """Check that requests may be made.

        Raises:
            TrackingError: if the work was stopped, or the sweep is not ours to write at present.
        """
        if self.stopped is not None and self.stopped():
            raise TrackingError("the sweep was stopped while it was written to MLflow")
        if self.may_write is not None:
            self.may_write()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The context of each request that writes."""
        self.go_on()
        if self.outdated:
            raise TrackingError(
                "another store may have written the sweep to MLflow meanwhile; it is read again"
            )
        try:
            yield
        except BaseException:
            self.doubtful = True
            raise

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the experiment, without a request for those that have the value already."""
        for name, value in tags.items():
            if self._tags.get(name) != value:
                with self._writing():
                    self.client.set_experiment_tag(self.id, name, value)
                self._tags[name] = value

    def create(self, tags: Mapping[str, str], start_ms: int | None) -> KnownRun:
        """Make a run.

        If the answer of the tracking store is lost, the run exists but this process does not know
        it. Callers note the request before they make it, and look for the run later.

        Args:
            tags: tags of the run, by name.
            start_ms: the start in milliseconds since 1970; None for now.
        """
        with self._writing():
            made = self.client.create_run(self.id, start_time=start_ms, tags=dict(tags))
        info = made.info
        return KnownRun(
            info.run_id, info.artifact_uri, info.status, dict(tags), info.start_time, steps=set()
        )

    def log(
        self,
        run: KnownRun,
        metrics: Iterable[tuple[str, float, int, int]] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write to a run in as few requests as MLflow allows.

        Args:
            run: the run.
            metrics: name, value, time in milliseconds since 1970, and step of each point. Points
                of the same step that follow each other stay in one request, which MLflow stores as
                a whole or not at all. So a step that a run has is complete.
            params: parameters by name.
            tags: tags by name. They are sent with the last request, because they say that
                everything before them was written.
        """
        from mlflow.entities import Metric, Param, RunTag

        first = [Param(*pair) for pair in (params or {}).items()]
        last = [RunTag(*pair) for pair in (tags or {}).items()]
        *requests, final = list(_in_requests([Metric(*point) for point in metrics])) or [[]]
        for request in requests:
            self._log(run, request, first, [])
            first = []
        if final or first or last:
            self._log(run, final, first, last)
            run.tags.update(tags or {})

    def _log(
        self, run: KnownRun, metrics: list[Metric], params: list[Param], tags: list[RunTag]
    ) -> None:
        with self._writing():
            self.client.log_batch(run.run_id, metrics=metrics, params=params, tags=tags)
        run.has_metrics = run.has_metrics or bool(metrics)
        if run.steps is not None:
            run.steps.update(point.step for point in metrics)

    def reopen(self, run: KnownRun) -> None:
        """Set the status of a run that has ended back to ``RUNNING``.

        The tags of its former end stay until new ones are written. If the writer is killed in
        between, a run that was stopped early still has the tag that says so, and is not taken for
        a trial that was trained to its end.
        """
        with self._writing():
            self.client.update_run(run.run_id, status="RUNNING")
        run.status, run.end_ms = "RUNNING", None

    def end(self, run: KnownRun, status: str, end_ms: int | None) -> None:
        """End a run.

        Args:
            run: the run.
            status: ``FINISHED``, ``FAILED`` or ``KILLED``.
            end_ms: the end in milliseconds since 1970; None for now.
        """
        assert status in ENDED
        with self._writing():
            self.client.set_terminated(run.run_id, status=status, end_time=end_ms)
        run.status, run.end_ms = status, end_ms

    def delete(self, run: KnownRun) -> None:
        """Delete a run. MLflow only hides it, and can restore it until ``mlflow gc`` is run."""
        with self._writing():
            self.client.delete_run(run.run_id)

    def write_artifact(self, run: KnownRun, name: str, text: str) -> None:
        """Keep a text as an artifact of a run.

        Args:
            run: the run.
            name: the file name of the artifact.
            text: its content.
        """
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        # The public `log_text` first asks the tracking store where the artifacts of the run are,
        # which we know already. That takes 4.4 ms instead of 0.8 ms on SQLite, and two requests
        # instead of one to a server.
        repository = get_artifact_repository(run.artifact_uri, tracking_uri=self._location.uri)
        with TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_text(text, encoding="utf-8")
            with self._writing():
                repository.log_artifact(str(path))


def _in_requests(points: Iterable[Metric]) -> Iterable[list[Metric]]:
    """Divide a list of metrics between steps into parts that are not too long for a request."""
    request: list[Metric] = []
    for _, row in groupby(points, key=lambda point: point.step):
        of_step = list(row)
        if request and len(request) + len(of_step) > _METRICS_PER_REQUEST:
            yield request
            request = []
        request += of_step
    if request:
        yield request
