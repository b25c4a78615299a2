"""Running a sweep: the plan minus the results, whatever happened before."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace

from qhn.cli.signals import held_back
from qhn.core.errors import QhnError, TrackingError
from qhn.sweeps.driver.local_ray import local_ray
from qhn.sweeps.driver.progress import Board
from qhn.sweeps.driver.summary import RunSummary
from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.results.statistics import GroupSummary, summarise, summary_csv
from qhn.sweeps.store import Store, SweepStore, TrialResult, results_digest
from qhn.sweeps.store.local import run_folder
from qhn.sweeps.tracking import SweepRuns, TrackingLocation, TrackingWriter

Watch = Callable[[Board], AbstractContextManager[object]]
_log = logging.getLogger(__name__)
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class RunOptions:
    """How a sweep is run.

    Attributes:
        slots: trials at once, at most (see `trials_at_once`).
        retry_failed: whether trials that failed before are tried again.
        started: ``time.monotonic()`` at the command's start.
    """

    slots: int
    retry_failed: bool = False
    started: float | None = None


@dataclass(frozen=True)
class RunOutcome:
    """A run's account, its groups over seeds, and the messages of the trials that failed."""

    summary: RunSummary
    groups: list[GroupSummary]
    failures: list[tuple[PlannedTrial, str]]


def run_sweep(
    plan: Plan,
    text: str,
    store: Store,
    location: TrackingLocation,
    watch: Watch,
    options: RunOptions,
) -> RunOutcome:
    """Run what is left of a sweep, and bring MLflow up to date with the store.

    The caller holds the sweep's lock, and handles signals (`clean_stops`).

    Args:
        plan: the trials.
        text: the sweep file, kept in the store.
        store: where trials live.
        location: where metrics go.
        watch: shows a board for as long as the context is open.
        options: see `RunOptions`.

    Raises:
        TrackingError: if the tracking store cannot be used; nothing was started then.
        StoreError: if the store cannot be written.
    """
    started = time.monotonic() if options.started is None else options.started
    folder = store.sweep(plan.name)
    folder.save_file(text)
    ids = [trial.trial_id for trial in plan.trials]
    done = _results(store, ids)
    failed = set() if options.retry_failed else store.failed(ids)
    todo = [t for t in plan.trials if t.trial_id not in done and t.trial_id not in failed]
    slots = max(1, min(options.slots, len(todo)))
    board = Board(plan.trials, {i: _accuracy(result) for i, result in done.items()}, failed)
    writer = TrackingWriter(lambda: SweepRuns(location, plan.name), store)
    with ExitStack() as view:
        # A stop in the midst of opening would leave a view that nobody closes.
        with held_back():
            view.enter_context(watch(board))
        try:
            writer.start()
            seconds = _train(plan, todo, store, folder, writer, board, slots) if todo else 0.0
            runs = writer.wait_until_ready()
            # Not what was reported: a trial may end unheard while Tune stops.
            missing = runs.unfinished(store.finished(ids) | store.failed(ids))
            writer.update(trial for trial in plan.trials if trial.trial_id in missing)
            board.phase = "writing to MLflow"
            board.unwritten = lambda: writer.waiting
            untracked = writer.close(_PATIENCE_S)
        except BaseException as error:
            _abandon(writer, interrupted=not isinstance(error, Exception))
            raise
        outcome = _outcome(plan, store, set(done), seconds, started, slots, untracked)
        if not _close_parent(runs, text, outcome) and not untracked:
            outcome = replace(outcome, summary=replace(outcome.summary, untracked=1))
    return outcome


def _abandon(writer: TrackingWriter, interrupted: bool) -> None:
    """Leave no run open in MLflow where a sweep cannot go on."""
    writer.close(patience_s=0.0, drop=True)
    if writer.runs is not None:
        try:
            writer.runs.interrupt()
            writer.runs.close_parent("KILLED" if interrupted else "FAILED", {}, {})
        except TrackingError as error:
            _log.warning("%s", error)


def _results(store: Store, ids: list[str]) -> dict[str, TrialResult]:
    return store.results(ids)


def _accuracy(result: TrialResult) -> float:
    return result.metrics["test_accuracy_expected"]


def _train(
    plan: Plan,
    todo: list[PlannedTrial],
    store: Store,
    folder: SweepStore,
    writer: TrackingWriter,
    board: Board,
    slots: int,
) -> float:
    """Run the trials that are left; seconds of training."""
    board.phase = "starting Ray"
    with local_ray(slots):
        with held_back():
            from ray.tune import (
                CheckpointConfig,
                RunConfig,
                TuneConfig,
                Tuner,
                with_parameters,
                with_resources,
            )

            from qhn.sweeps.driver.callback import RESTARTS, DriverCallback
            from qhn.sweeps.driver.early_stopping import GroupedAsha
            from qhn.sweeps.driver.emission import Emission
            from qhn.sweeps.driver.scheduler import PatientScheduler
            from qhn.sweeps.trial.actor import TrialActor
            from qhn.sweeps.trial.shared_tables import start_problems

        references = start_problems((trial.config for trial in todo), slots)
        # Only now, so that both start at once; and before any trial does.
        writer.wait_until_ready()
        for trial in todo:
            store.clear_error(trial.trial_id)
        emission = Emission(todo, slots)
        callback = DriverCallback(todo, store, folder, writer, board, emission.again)
        actor = with_parameters(TrialActor, store_uri=store.uri, problems=references, threads=1)
        early = any(trial.config.early_stopping is not None for trial in todo)
        scheduler = GroupedAsha(plan.trials, store, slots) if early else PatientScheduler(slots)
        scratch = run_folder(store, plan.name) / "ray"
        tuner = Tuner(
            with_resources(actor, {"cpu": 1}),
            tune_config=TuneConfig(
                search_alg=emission,
                scheduler=scheduler,
                num_samples=len(todo) * (1 + RESTARTS),
                reuse_actors=True,
                # Tune would name folders by the whole configuration.
                trial_dirname_creator=str,
            ),
            run_config=RunConfig(
                name="trials",
                storage_path=str(scratch),
                callbacks=[callback],
                verbose=0,
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        board.phase = "starting trials (a new machine compiles the engine first)"
        try:
            tuner.fit()
        except Exception as error:
            own = _own_error(error)
            if own is None:
                raise
            raise own from error
        finally:
            # Ray's own record of the run is not needed: the store has everything.
            shutil.rmtree(scratch, ignore_errors=True)
        return callback.training_seconds


def _outcome(
    plan: Plan,
    store: Store,
    done: set[str],
    training_seconds: float,
    started: float,
    slots: int,
    untracked: int,
) -> RunOutcome:
    ids = [trial.trial_id for trial in plan.trials]
    results = _results(store, ids)
    errors = {trial_id: store.error(trial_id) for trial_id in ids if trial_id not in results}
    failures = [(t, e.message) for t in plan.trials if (e := errors.get(t.trial_id)) is not None]
    wall, ended = time.monotonic() - started, len(results) - len(done)
    remaining = len(ids) - len(results) - len(failures)
    overhead = (wall - training_seconds / slots) / ended * 1000 if ended else None
    summary = RunSummary(
        sweep=plan.name,
        trials=len(ids),
        finished=ended,
        failed=len(failures),
        skipped=len(done),
        stopped=sum(result.status == "stopped" for result in results.values()),
        remaining=remaining,
        interrupted=remaining > 0,
        training_seconds=round(training_seconds, 3),
        wall_seconds=round(wall, 3),
        slots=slots,
        overhead_ms_per_trial=None if overhead is None else round(overhead, 2),
        results_digest=results_digest(results.values()),
        untracked=untracked,
    )
    return RunOutcome(summary, summarise(plan.trials, results), failures)


def _own_error(error: BaseException) -> QhnError | None:
    """The error of this package that Tune has wrapped, if it is one."""
    link: BaseException | None = error
    while link is not None and not isinstance(link, QhnError):
        link = link.__cause__ or link.__context__
    return link


def _close_parent(runs: SweepRuns, text: str, outcome: RunOutcome) -> bool:
    """Write the sweep's own run; whether MLflow took it."""
    summary = outcome.summary
    incomplete = summary.failed or summary.untracked
    status = "KILLED" if summary.interrupted else "FAILED" if incomplete else "FINISHED"
    artifacts = {"sweep.yaml": text, "summary.csv": summary_csv(outcome.groups)}
    over = summary.finished + summary.skipped
    tags = {
        "qhn.trials": str(summary.trials),
        "qhn.finished": str(over),
        "qhn.failed": str(summary.failed),
        "qhn.results_digest": summary.results_digest,
    }
    try:
        # Also where all is over: a run may be left of a driver that was killed, whose file asked
        # for other trials.
        runs.interrupt()
        runs.close_parent(status, artifacts, tags)
    except TrackingError as error:
        _log.warning("%s", error)
        return False
    return True
