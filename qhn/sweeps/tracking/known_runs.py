"""The runs that MLflow has of a sweep already: found by their tags, and one kept of each."""

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
        status: MLflow's word for how far it is.
        tags: by name; those that were emptied are among them.
        start_ms: when it began, in milliseconds since 1970.
        end_ms: when it ended; None if it has not.
        has_metrics: whether it has any.
        steps: the steps that it has; None until somebody asks (`steps_of`).
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
        """Its tags that say how the trial ended; emptied tags are left out."""
        return {name: value for name, value in self.tags.items() if value and is_outcome(name)}

    @property
    def whole(self) -> bool:
        """Whether the trial was trained to its end: a stop by the sweep may be overtaken."""
        return self.status == FINISHED and not self.tags.get(STOPPED_TAG)

    @property
    def is_over(self) -> bool:
        """Whether the trial has ended by itself, well or not, or was stopped early."""
        return self.status in (FINISHED, "FAILED")


@dataclass
class KnownRuns:
    """All runs of a sweep's experiment that are of use.

    Attributes:
        sweep: the sweep's own run, if it has one.
        groups: all runs of each group by the group's id; more than one where a writer was killed
            while it made a group's run anew.
        trials: the one run of each trial by the trial's id.
    """

    sweep: KnownRun | None
    groups: dict[str, list[KnownRun]]
    trials: dict[str, KnownRun]


def load_runs(client: MlflowClient, experiment: str, former_ids: Mapping[str, str]) -> KnownRuns:
    """The runs that MLflow has of a sweep; of two runs of one trial the fuller is kept.

    Args:
        client: of the tracking store.
        experiment: the sweep's experiment.
        former_ids: trial id by the id that an earlier version of qhn gave the same trial. A run
            with a former id is adopted: it is tagged anew, and never made a second time.
    """
    sweeps: list[KnownRun] = []
    groups: dict[str, list[KnownRun]] = {}
    trials: dict[str, list[KnownRun]] = {}
    # Read to the end before anything is deleted: MLflow's pages are counted from the first run.
    for run in list(_all_runs(client, experiment)):
        kind, trial_id = run.tags.get(KIND_TAG), run.tags.get(TRIAL_TAG)
        if kind == "sweep":
            sweeps.append(run)
        elif kind == "group":
            groups.setdefault(run.tags.get(GROUP_ID_TAG, ""), []).append(run)
        elif trial_id is not None:
            trials.setdefault(former_ids.get(trial_id, trial_id), []).append(run)
    return KnownRuns(
        sweep=sweeps[0] if sweeps else None,
        groups=groups,
        trials={trial: _keep_one(client, trial, runs) for trial, runs in trials.items()},
    )


def find_trial(client: MlflowClient, experiment: str, trial_id: str) -> KnownRun | None:
    """Ask MLflow for the run of one trial."""
    found = client.search_runs([experiment], f"tags.`{TRIAL_TAG}` = '{trial_id}'")
    runs = [_known(run) for run in found]
    return _keep_one(client, trial_id, runs) if runs else None


def find_group(client: MlflowClient, experiment: str, group_id: str) -> list[KnownRun]:
    """Ask MLflow for the runs of one group."""
    which = f"tags.`{KIND_TAG}` = 'group' and tags.`{GROUP_ID_TAG}` = '{group_id}'"
    return [_known(run) for run in client.search_runs([experiment], which)]


def steps_of(client: MlflowClient, run: KnownRun) -> set[int]:
    """The steps that a run has, asked for once."""
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
    """Keep the fullest of a trial's runs under the trial's id, and delete the others.

    A request that was repeated on its way may have made two, and so may two versions of qhn.
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
    """Order of runs of the same trial: whole before unfinished, more steps before fewer."""
    return run.whole, len(steps_of(client, run))
