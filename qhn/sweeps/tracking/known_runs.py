"""Finds the runs that MLflow has of a sweep already, by their tags, and keeps one of each trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qhn.sweeps.tracking.content import STOPPED_TAG, is_outcome
from qhn.sweeps.tracking.names import GROUP_ID_TAG, KIND_TAG, TRIAL_TAG

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

FINISHED = "FINISHED"
ENDED = {FINISHED, "FAILED", "KILLED"}
_PAGE = 1000


@dataclass
class KnownRun:
    """A run as this process knows it.

    Attributes:
        run_id: MLflow's id of the run.
        artifact_uri: where the run keeps its artifacts.
        status: MLflow's status: ``RUNNING``, or one of `ENDED`.
        tags: its tags by name. Tags that were set to the empty text are included.
        start_ms: its start, in milliseconds since 1970.
        end_ms: its end, in milliseconds since 1970; None if it has not ended.
        has_metrics: whether it has any metrics.
        steps: the steps that it has reports of; None if that was not asked for yet (`steps_of`).
        described: whether this process has sent the trial's parameters.
    """

    run_id: str
    artifact_uri: str
    status: str
    tags: dict[str, str] = field(default_factory=dict)
    start_ms: int | None = None
    end_ms: int | None = None
    has_metrics: bool = False
    steps: set[int] | None = None
    described: bool = False

    @property
    def outcome(self) -> dict[str, str]:
        """The tags that say how the trial ended, without those that are empty."""
        return {name: value for name, value in self.tags.items() if value and is_outcome(name)}

    @property
    def whole(self) -> bool:
        """Whether the trial was trained to its last step.

        This is False for a trial that the sweep has stopped early, because a later run of the
        sweep may train it further.
        """
        return self.status == FINISHED and not self.tags.get(STOPPED_TAG)

    @property
    def is_over(self) -> bool:
        """Whether the trial has finished, has failed, or was stopped early."""
        return self.status in (FINISHED, "FAILED")


@dataclass
class KnownRuns:
    """The runs of a sweep's experiment.

    Attributes:
        sweep: the sweep's own run; None if it has none yet. If there are several, the others are
            deleted.
        groups: all runs of each group, by group id. There can be several if a writer was killed
            while it replaced the run of a group.
        trials: the one run of each trial, by trial id.
    """

    sweep: KnownRun | None
    groups: dict[str, list[KnownRun]]
    trials: dict[str, KnownRun]


def load_runs(client: MlflowClient, experiment: str, former_ids: Mapping[str, str]) -> KnownRuns:
    """The runs that MLflow has of a sweep. If a trial has several, the fullest one is kept.

    Args:
        client: the client of the tracking store.
        experiment: MLflow's id of the sweep's experiment.
        former_ids: trial ids, by the ids that an earlier version of qhn gave the same trials. A
            run that is tagged with a former id gets the present one, and no second run is made.
    """
    sweeps: list[KnownRun] = []
    groups: dict[str, list[KnownRun]] = {}
    trials: dict[str, list[KnownRun]] = {}
    # All pages are read before anything is deleted. MLflow counts from the first run to find the
    # beginning of a page, so a deletion in between would make it skip runs.
    for run in list(_all_runs(client, experiment)):
        kind, trial_id = run.tags.get(KIND_TAG), run.tags.get(TRIAL_TAG)
        if kind == "sweep":
            sweeps.append(run)
        elif kind == "group":
            groups.setdefault(run.tags.get(GROUP_ID_TAG, ""), []).append(run)
        elif trial_id is not None:
            trials.setdefault(former_ids.get(trial_id, trial_id), []).append(run)
    # There can be several if an answer was lost, or if two versions of qhn began at the same time.
    sweeps.sort(key=lambda run: (run.start_ms or 0, run.run_id))
    for spare in sweeps[1:]:
        client.delete_run(spare.run_id)
    return KnownRuns(
        sweep=sweeps[0] if sweeps else None,
        groups=groups,
        trials={trial: _keep_one(client, trial, runs) for trial, runs in trials.items()},
    )


def find_trial(client: MlflowClient, experiment: str, trial_id: str) -> KnownRun | None:
    """Ask MLflow for the run of one trial; None if there is none."""
    found = client.search_runs([experiment], f"tags.`{TRIAL_TAG}` = '{trial_id}'")
    runs = [_known(run) for run in found]
    return _keep_one(client, trial_id, runs) if runs else None


def find_group(client: MlflowClient, experiment: str, group_id: str) -> list[KnownRun]:
    """Ask MLflow for all runs of one group."""
    which = f"tags.`{KIND_TAG}` = 'group' and tags.`{GROUP_ID_TAG}` = '{group_id}'"
    return [_known(run) for run in client.search_runs([experiment], which)]


def steps_of(client: MlflowClient, run: KnownRun) -> set[int]:
    """The steps that a run has reports of. MLflow is asked only once for each run."""
    if run.steps is None:
        points = client.get_metric_history(run.run_id, "objective")
        run.steps = {point.step for point in points}
    return run.steps


def _all_runs(client: MlflowClient, experiment: str) -> Iterator[KnownRun]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        yield from map(_known, page)
        token = page.token
        if not token:
            return


def _known(found: Run) -> KnownRun:
    info = found.info
    return KnownRun(
        info.run_id,
        info.artifact_uri,
        info.status,
        dict(found.data.tags),
        info.start_time,
        info.end_time,
        bool(found.data.metrics),
    )


def _keep_one(client: MlflowClient, trial_id: str, runs: Iterable[KnownRun]) -> KnownRun:
    """Keep the fullest of a trial's runs, tagged with the trial's id, and delete the others.

    There can be two if a proxy has repeated a request, or if two versions of qhn have written the
    same trial under different ids.
    """
    kept, *others = runs
    for run in others:
        fuller = _fullness(client, run) > _fullness(client, kept)
        kept, spare = (run, kept) if fuller else (kept, run)
        client.delete_run(spare.run_id)
    if kept.tags[TRIAL_TAG] != trial_id:
        client.set_tag(kept.run_id, TRIAL_TAG, trial_id)
        kept.tags[TRIAL_TAG] = trial_id
    return kept


def _fullness(client: MlflowClient, run: KnownRun) -> tuple[bool, int]:
    """Sorts runs of the same trial: finished ones are fuller, and then those with more steps."""
    return run.whole, len(steps_of(client, run))
