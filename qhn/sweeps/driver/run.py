"""Running a sweep: the plan minus the results, whatever happened before."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from qhn.core.errors import TrackingError
from qhn.core.metrics import HEADLINE
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.handlers import Shield, handlers_kept
from qhn.sweeps.driver.summary import RunSummary
from qhn.sweeps.driver.tune_run import Spent, Work, train
from qhn.sweeps.planning.arrangement import arrange
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.results.statistics import GroupSummary, summarise, summary_csv
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.store import Store, TrialResult, results_digest
from qhn.sweeps.store.local import run_folder
from qhn.sweeps.tracking import Knowledge, TrackingLocation, WriterProcess
from qhn.sweeps.tracking.note import resume_command, sweep_note

Watch = Callable[[Board], AbstractContextManager[object]]
_log = logging.getLogger(__name__)
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class RunOptions:
    """How a sweep is run.

    Attributes:
        slots: trials at once, at most.
        machine: the machine whose memory the plan was checked against. Ray is started with
            exactly its ``object_store_bytes``.
        retry_failed: whether trials that failed before are tried again.
        started: ``time.monotonic()`` at the command's start.
        shield: surrounds what must not be interrupted, Ray's start for example. The default
            leaves signals to whoever called and only puts handlers back that Ray has changed.
        ray_folder: where Ray keeps its files; None for a place that is taken for this run alone.
    """

    slots: int
    machine: Machine
    retry_failed: bool = False
    started: float | None = None
    shield: Shield = handlers_kept
    ray_folder: Path | None = None


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        summary: its account.
        groups: each group over its seeds.
        failures: trials that failed, with their messages.
        notes: files that could not be used, and what was done about them.
    """

    summary: RunSummary
    groups: list[GroupSummary]
    failures: list[tuple[PlannedTrial, str]]
    notes: list[str] = field(default_factory=list)


def run_sweep(
    plan: Plan,
    text: str,
    store: Store,
    location: TrackingLocation,
    watch: Watch,
    options: RunOptions,
) -> RunOutcome:
    """Run what is left of a sweep, and bring MLflow up to date with the store.

    The caller holds the sweep's lock. Signal handlers are, at the end, those of the beginning.

    Args:
        plan: the trials.
        text: the sweep file, kept in the store.
        store: where trials live.
        location: where metrics go.
        watch: shows a board for as long as the context is open.
        options: see `RunOptions`.

    Raises:
        TrackingError: if the tracking store cannot be used; nothing was started then.
        StoreError: if the store cannot be written, or was written by a newer version.
        RayError: if Ray cannot be started.
    """
    started = time.monotonic() if options.started is None else options.started
    store.sweep(plan.name).save_file(text)
    ids = [trial.trial_id for trial in plan.trials]
    notes: list[str] = []
    done = _mended_outcomes(plan, store, notes)
    failed = store.failed(ids) - done.keys()
    todo = [
        trial
        for trial in plan.trials
        if trial.trial_id not in done and (options.retry_failed or trial.trial_id not in failed)
    ]
    # For a caller who has asked no preflight: tables that do not fit together take turns.
    todo = list(arrange(todo, options.machine))
    slots = max(1, min(options.slots, len(todo)))
    board = Board(
        plan.trials,
        {i: _accuracy(result) for i, result in done.items()},
        set() if options.retry_failed else failed,
    )
    board.notes += notes
    stops = _stops(done)
    # Of trials that may still be stopped early: the last step that this driver has heard of.
    heard = {} if plan.early_stopping is None else {trial.trial_id: -1 for trial in todo}
    writer = WriterProcess(location, store, text, Knowledge(stops, heard))
    with ExitStack() as view:
        # A stop in the midst of opening would leave a view that nobody closes.
        with options.shield():
            view.enter_context(watch(board))
        view.callback(writer.end)
        try:
            writer.start()
            spent = Spent()
            if todo:
                scratch = run_folder(store, plan.name) / "ray"
                work = Work(
                    plan,
                    todo,
                    done,
                    slots,
                    options.machine,
                    store,
                    writer,
                    board,
                    scratch,
                    stops,
                    heard,
                    options.shield,
                    options.ray_folder,
                )
                with handlers_kept():
                    spent = train(work)
                # Tune's account of thousands of trials refers to itself in circles. What comes now
                # reads as many results, and takes the memory that it leaves.
                gc.collect()
            writer.wait_until_ready()
            # Not what was reported: a trial may end unheard while Tune stops.
            results = _mended_outcomes(plan, store, board.notes)
            stops.update(_stops(results))
            heard.clear()
            over = results.keys() | store.failed(ids)
            board.phase = "writing to MLflow"
            board.unwritten = lambda: writer.waiting
            ended = [trial for trial in plan.trials if trial.trial_id in over]
            untracked = writer.finish(ended, _PATIENCE_S)
        except BaseException as error:
            writer.abandon("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        outcome = _outcome(plan, store, results, set(done), spent, started, slots, untracked)
        outcome = replace(outcome, notes=board.notes)
        note = sweep_note(plan, outcome.groups, resume_command(plan.name, store, location))
        if not _close_sweep(writer, text, outcome, note) and not untracked:
            outcome = replace(outcome, summary=replace(outcome.summary, untracked=1))
    return outcome


def _mended_outcomes(plan: Plan, store: Store, notes: list[str]) -> dict[str, TrialResult]:
    """Results of the plan's trials; a file that cannot be used is set aside and noted.

    Its trial is then one of those that are left: one bad file costs one training, and never
    refuses a sweep.
    """
    rule = plan.early_stopping
    damaged = list(store.outcomes(trial.trial_id for trial in plan.trials).damaged.values())
    if rule is not None:
        damaged += store.sweep(plan.name).damaged_stops(rule.content())
    for damage in damaged:
        note = store.mend(damage)
        _log.warning("%s", note)
        notes.append(note)
    return outcomes(plan, store)


def _stops(results: Mapping[str, TrialResult]) -> dict[str, TrialResult]:
    """Those of the results at which the sweep stopped a trial."""
    return {i: result for i, result in results.items() if result.status == "stopped"}


def _accuracy(result: TrialResult) -> float:
    return result.metrics[HEADLINE]


def _outcome(
    plan: Plan,
    store: Store,
    results: Mapping[str, TrialResult],
    done: set[str],
    spent: Spent,
    started: float,
    slots: int,
    untracked: int,
) -> RunOutcome:
    ids = [trial.trial_id for trial in plan.trials]
    errors = store.outcomes(trial_id for trial_id in ids if trial_id not in results).errors
    failures = [(t, e.message) for t in plan.trials if (e := errors.get(t.trial_id)) is not None]
    wall, ended = time.monotonic() - started, len(results) - len(done)
    remaining = len(ids) - len(results) - len(failures)
    overhead = (wall - spent.training / slots) / ended * 1000 if ended else None
    summary = RunSummary(
        sweep=plan.name,
        trials=len(ids),
        finished=ended,
        failed=len(failures),
        skipped=len(done),
        stopped=sum(result.status == "stopped" for result in results.values()),
        remaining=remaining,
        interrupted=remaining > 0 and not spent.complete,
        training_seconds=round(spent.training, 3),
        wall_seconds=round(wall, 3),
        slots=slots,
        overhead_ms_per_trial=None if overhead is None else round(overhead, 2),
        results_digest=results_digest(results.values()),
        untracked=untracked,
        ray_start_seconds=round(spent.ray_start, 3),
    )
    return RunOutcome(summary, summarise(make_rows(plan.trials, results, errors)), failures)


def _close_sweep(writer: WriterProcess, text: str, outcome: RunOutcome, note: str) -> bool:
    """Write what is left of groups, and the sweep's own run; whether MLflow took it."""
    summary = outcome.summary
    incomplete = summary.failed or summary.untracked or summary.remaining
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
        writer.close_sweep(status, artifacts, tags, note)
    except TrackingError as error:
        _log.warning("%s", error)
        return False
    return True
