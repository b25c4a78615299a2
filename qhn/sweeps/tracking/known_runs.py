"""The runs that MLflow has of a sweep already: found by their tags, and one kept per trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qhn.sweeps.tracking.content import STOPPED_TAG, is_outcome

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

KIND_TAG, TRIAL_TAG = "qhn.kind", "qhn.trial_id"
FINISHED = "FINISHED"
_PAGE = 1000


@dataclass
class KnownRun:
    """A run as this process knows it.

    Attributes:
        run_id: MLflow's id of the run.
        artifact_uri: where the run keeps its artifacts.
        status: MLflow's word for how far it is.
        trial_id: the trial that its tag names; None for a sweep's own run.
        outcome: its tags that say how the trial ended; emptied tags are left out.
        steps: the steps that it has; None until somebody asks (`steps_of`).
        described: whether this process has sent the trial's parameters.
    """

    run_id: str
    artifact_uri: str
    status: str
    trial_id: str | None = None
    outcome: dict[str, str] = field(default_factory=dict)
    steps: set[int] | None = None
    described: bool = False

    @property
    def whole(self) -> bool:
        """Whether the trial was trained to its end: a stop by the sweep may be overtaken."""
        return self.status == FINISHED and STOPPED_TAG not in self.outcome


def load_runs(
    client: MlflowClient, experiment: str, former_ids: Mapping[str, str]
) -> tuple[KnownRun | None, dict[str, KnownRun]]:
    """The sweep's own run, if it has one, and the one run of each trial by the trial's id.

    Args:
        client: of the tracking store.
        experiment: the sweep's experiment.
        former_ids: trial id by the id that an earlier version of qhn gave the same trial. A run
            with a former id is adopted: it is tagged anew, and never made a second time.
    """
    parent: KnownRun | None = None
    of_trial: dict[str, list[KnownRun]] = {}
    # Read to the end before anything is deleted: MLflow's pages are counted from the first run.
    for run, kind in list(_all_runs(client, experiment)):
        if kind == "sweep":
            parent = run
        elif run.trial_id is not None:
            of_trial.setdefault(former_ids.get(run.trial_id, run.trial_id), []).append(run)
    return parent, {trial: _keep_one(client, trial, runs) for trial, runs in of_trial.items()}


def find_run(client: MlflowClient, experiment: str, trial_id: str) -> KnownRun | None:
    """Ask MLflow for the run of one trial."""
    found = client.search_runs([experiment], f"tags.`{TRIAL_TAG}` = '{trial_id}'")
    runs = [_known(run) for run in found]
    return _keep_one(client, trial_id, runs) if runs else None


def steps_of(client: MlflowClient, run: KnownRun) -> set[int]:
    """The steps that a run has, asked for once."""
    if run.steps is None:
        points = client.get_metric_history(run.run_id, "objective")
        run.steps = {point.step for point in points}
    return run.steps


def _all_runs(client: MlflowClient, experiment: str) -> Iterator[tuple[KnownRun, str | None]]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=_PAGE, page_token=token)
        for found in page:
            yield _known(found), found.data.tags.get(KIND_TAG)
        token = page.token
        if not token:
            return


def _known(found: Run) -> KnownRun:
    tags: dict[str, str] = found.data.tags
    outcome = {name: value for name, value in tags.items() if value and is_outcome(name)}
    info = found.info
    return KnownRun(info.run_id, info.artifact_uri, info.status, tags.get(TRIAL_TAG), outcome)


def _keep_one(client: MlflowClient, trial_id: str, runs: Iterable[KnownRun]) -> KnownRun:
    """Keep the fullest of a trial's runs under the trial's id, and delete the others.

    A request that was repeated on its way may have made two, and so may two versions of qhn.
    """
    kept, *others = runs
    for run in others:
        fuller = _fullness(client, run) > _fullness(client, kept)
        kept, spare = (run, kept) if fuller else (kept, run)
        client.delete_run(spare.run_id)
    if kept.trial_id != trial_id:
        client.set_tag(kept.run_id, TRIAL_TAG, trial_id)
        kept.trial_id = trial_id
    return kept


def _fullness(client: MlflowClient, run: KnownRun) -> tuple[bool, int]:
    """Order of runs of the same trial: whole before unfinished, more steps before fewer."""
    return run.whole, len(steps_of(client, run))
