"""Runs what is left of a sweep: the trials of the plan that have no result in the store."""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from qhn.core.errors import TrackingError
from qhn.core.metrics import HEADLINE
from qhn.sweeps.driver.attached_ray import Cluster, cluster_now
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.elastic import LiveNow, live_now
from qhn.sweeps.driver.families import fails_with, orphans
from qhn.sweeps.driver.handlers import Shield, handlers_kept
from qhn.sweeps.driver.lane_board import LaneBoard
from qhn.sweeps.driver.lane_summary import lane_summaries
from qhn.sweeps.driver.live import Live, live_trials, wanted_live
from qhn.sweeps.driver.placement import Placement, placement_of
from qhn.sweeps.driver.summary import RunSummary
from qhn.sweeps.driver.tune_run import Spent, Work, train
from qhn.sweeps.planning.arrangement import arrange
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.results.lane_jobs import jobs_of, shares_of, spent_by_trial
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.results.statistics import GroupSummary, summarise, summary_csv
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.store import Store, TrialResult, results_digest
from qhn.sweeps.store.local import run_folder
from qhn.sweeps.tracking import Knowledge, TrackingLocation, WriterProcess
from qhn.sweeps.tracking.note import resume_command, sweep_note

Watch = Callable[[Board], AbstractContextManager[object]]
_log = logging.getLogger(__name__)
# How long to wait at the end for a tracking server that does not answer: longer than a restart of
# the server or of its database takes.
_PATIENCE_S = 90.0


@dataclass(frozen=True)
class RunOptions:
    """How a sweep is run.

    Attributes:
        slots: how many simulated trials run at once, at most.
        machine: the memory against which the plan was checked. Ray is started with exactly its
            ``object_store_bytes``.
        retry_failed: whether trials that failed before are tried again.
        started: ``time.monotonic()`` at the start of the command; None for now.
        shield: the context for work that must not be interrupted, such as the start of Ray. The
            default does not handle signals; it only puts handlers back that Ray has changed.
        ray_folder: the folder for Ray's files; None to make one for this run.
        cluster: the Ray to which this process is connected; None to start one for this run.
        most_slots: how many simulated trials run at once on that Ray, at most, however many CPUs it
            may get; None for as many as it has CPUs.
        attach_seconds: how long it took to connect to that Ray and to look at its machines.
    """

    slots: int
    machine: Machine
    retry_failed: bool = False
    started: float | None = None
    shield: Shield = handlers_kept
    ray_folder: Path | None = None
    cluster: Cluster | None = None
    most_slots: int | None = None
    attach_seconds: float = 0.0


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        summary: counts, times and the digest of the results.
        groups: the final metrics of each group over its seeds.
        failures: the trials that failed, with their messages.
        notes: lines for people about files that could not be used, and advice on trials that have
            finished badly.
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

    The caller must hold the lock of the sweep. At the end the signal handlers are the same as at
    the beginning.

    Args:
        plan: the plan of the sweep.
        text: the text of the sweep file, which is kept in the store.
        store: where trials are kept.
        location: the tracking store.
        watch: returns a context that shows the board as long as it is open.
        options: see `RunOptions`.

    Raises:
        TrackingError: if the tracking store cannot be used. In this case no trial was started.
        StoreError: if the store cannot be written, or a newer version of qhn has written it.
        RayError: if Ray cannot be started.
    """
    started = time.monotonic() if options.started is None else options.started
    store.sweep(plan.name).save_file(text)
    ids = [trial.trial_id for trial in plan.trials]
    notes: list[str] = []
    done = _without_stopped_parents(plan, _mended_outcomes(plan, store, notes))
    failed = store.failed(ids) - done.keys()
    todo = [
        trial
        for trial in plan.trials
        if trial.trial_id not in done and (options.retry_failed or trial.trial_id not in failed)
    ]
    # The preflight has arranged the trials already. A caller who has left it out needs it here:
    # loss tables that do not fit into memory together must take turns. Lanes differ in speed, so
    # that more tables may be needed at once than by one trial after the other; `TableUse` sees to
    # that.
    todo = list(arrange(todo, options.machine))
    _fail_orphans(todo, plan, store, done.keys(), failed)
    wanted, cluster, placement = wanted_live(plan, options.slots), options.cluster, None
    if cluster is None:
        live = live_trials(todo, wanted, options.machine)
    else:
        placement = placement_of(todo, cluster.nodes)
        live = placement.live(wanted, cluster.nodes)
    left = {trial.trial_id for trial in todo}
    board = Board(
        plan.trials,
        {i: _accuracy(result) for i, result in done.items()},
        set(ids) - done.keys() - left,
        _lane_board(plan, store),
    )
    begun = time.time()
    board.notes += notes
    stops = _stops(done)
    # The last step that this driver has heard of, for each trial that may still be stopped early.
    heard = {} if plan.early_stopping is None else {trial.trial_id: -1 for trial in todo}
    writer = WriterProcess(location, store, text, Knowledge(stops, heard))
    with ExitStack() as view:
        # A Ctrl-C while the view opens would leave a view that nobody closes.
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
                    live,
                    options.machine,
                    store,
                    writer,
                    board,
                    scratch,
                    stops,
                    heard,
                    options.shield,
                    options.ray_folder,
                    cluster,
                    placement,
                    _live_now(plan, placement, options),
                )
                with handlers_kept():
                    spent = train(work)
                spent = replace(spent, ray_start=spent.ray_start + options.attach_seconds)
                # Tune's objects for thousands of trials refer to each other in circles, so only the
                # garbage collector frees them. The lines below read as many results and can use
                # that memory.
                gc.collect()
            writer.wait_until_ready()
            # The results come from the store and not from what was reported, because a trial may
            # end without being heard while Tune stops.
            results = _mended_outcomes(plan, store, board.notes)
            stops.update(_stops(results))
            heard.clear()
            over = results.keys() | store.failed(ids)
            board.phase = "writing to MLflow"
            board.unwritten = lambda: writer.waiting
            ended = [trial for trial in plan.trials if trial.trial_id in over]
            untracked = writer.finish(ended, _PATIENCE_S)
            outcome = _outcome(plan, store, results, set(done), spent, started, live, untracked)
            if plan.lanes:
                outcome = _with_lanes(outcome, board, live, store, begun)
            outcome = replace(outcome, notes=board.notes)
            note = sweep_note(plan, outcome.groups, resume_command(plan.name, store, location))
            if not _close_sweep(writer, text, outcome, note) and not untracked:
                outcome = replace(outcome, summary=replace(outcome.summary, untracked=1))
        except BaseException as error:
            # An interruption is a `BaseException`, but not an `Exception`.
            writer.abandon("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
    return outcome


def _live_now(plan: Plan, placement: Placement | None, options: RunOptions) -> LiveNow | None:
    """What follows a Ray that is not ours, whose machines may come and go."""
    if options.cluster is None or placement is None:
        return None

    def live_of(cluster: Cluster) -> Live:
        slots = min(cluster.cpus, options.most_slots or cluster.cpus)
        return placement.live(wanted_live(plan, slots), cluster.nodes)

    return live_now(options.cluster, cluster_now, live_of)


def _mended_outcomes(plan: Plan, store: Store, notes: list[str]) -> dict[str, TrialResult]:
    """The results of the plan's trials. Files that cannot be used are set aside and noted.

    The trial of such a file is then trained again. One bad file never prevents a sweep from
    running.
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


def _lane_board(plan: Plan, store: Store) -> LaneBoard:
    """How the lanes of the sweep stand before the run."""
    lanes = LaneBoard(plan.lanes, plan.trials)
    for standing in lanes.standings.values():
        shares = shares_of(store, plan.name, jobs_of(store, standing.lane.queue))
        standing.spent_before(spent_by_trial(shares))
    return lanes


def _with_lanes(
    outcome: RunOutcome, board: Board, live: Live, store: Store, begun: float
) -> RunOutcome:
    """The outcome with what the run did in each lane, and a note on each that needs one."""
    name = outcome.summary.sweep
    store.sweep(name).save_lanes(board.lanes.content(), durable=True)
    lanes = lane_summaries(board.lanes, live.queued(), store, name, begun)
    # Most trials of a lane end for the same reason, which need not be said of each.
    for why, count in Counter(board.lanes.paused.values()).items():
        board.notes.append(f"{count} trial{'s' if count > 1 else ''} stopped for now: {why}")
    return replace(outcome, summary=replace(outcome.summary, lanes=lanes))


def _without_stopped_parents(plan: Plan, results: dict[str, TrialResult]) -> dict[str, TrialResult]:
    """The results without trials that were stopped early and from which others start by now.

    Such a trial has to be trained to its end.
    """
    parents = {trial.parent for trial in plan.trials}
    return {i: r for i, r in results.items() if r.status != "stopped" or i not in parents}


def _fail_orphans(
    todo: list[PlannedTrial],
    plan: Plan,
    store: Store,
    finished: Collection[str],
    failed: set[str],
) -> None:
    """Take trials whose parents failed in an earlier run out of what is left, and fail them too."""
    planned = {trial.trial_id: trial for trial in plan.trials}
    errors = store.outcomes(failed).errors
    for trial in orphans(todo, finished):
        todo.remove(trial)
        assert trial.parent is not None
        parent = planned.get(trial.parent)
        told = f"{trial.parent} ({parent.label})" if parent else trial.parent
        reason = errors[trial.parent].message if trial.parent in errors else "it is not planned"
        errors[trial.trial_id] = fails_with(told, reason)
        store.save_error(trial.trial_id, errors[trial.trial_id])


def _stops(results: Mapping[str, TrialResult]) -> dict[str, TrialResult]:
    """The results of the trials that the sweep has stopped early."""
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
    live: Live,
    untracked: int,
) -> RunOutcome:
    ids = [trial.trial_id for trial in plan.trials]
    errors = store.outcomes(trial_id for trial_id in ids if trial_id not in results).errors
    failures = [(t, e.message) for t in plan.trials if (e := errors.get(t.trial_id)) is not None]
    wall, ended = time.monotonic() - started, len(results) - len(done)
    remaining = len(ids) - len(results) - len(failures)
    slots = max(1, live.simulated)
    # A trial in a queue mostly waits for others, which is neither training nor overhead.
    comparable = ended and not live.queued()
    overhead = (wall - spent.training / slots) / ended * 1000 if comparable else None
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
    """Write the runs of groups and of the sweep, and return whether that succeeded."""
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
        # Whoever has waited for the trials in vain need not wait once more.
        writer.close_sweep(status, artifacts, tags, note, 0.0 if summary.untracked else _PATIENCE_S)
    except TrackingError as error:
        _log.warning("%s", error)
        return False
    return True
