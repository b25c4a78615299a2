"""Handles what trial actors report: updates the board, the store, and the writer to MLflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.tune import Callback

from qhn.core.errors import DamagedError, StoreError
from qhn.core.metrics import HEADLINE
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.deaths import Deaths
from qhn.sweeps.driver.draining import Draining, never
from qhn.sweeps.driver.elastic import Elastic
from qhn.sweeps.driver.emission import Emission
from qhn.sweeps.driver.families import Families, fails_with
from qhn.sweeps.driver.late_writes import LateWrites
from qhn.sweeps.driver.nodes import nodes_of
from qhn.sweeps.driver.out_of_memory import (
    is_out_of_memory,
    second_reservation,
    twice_out_of_memory,
)
from qhn.sweeps.driver.time_limit import TimeLimit
from qhn.sweeps.planning.machine import size_text
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import Store, TrialError, TrialResult
from qhn.sweeps.store.results import read_result
from qhn.sweeps.tracking import WriterProcess
from qhn.sweeps.trial.leaving import draining_machines
from qhn.sweeps.trial.messages import Answer

_log = logging.getLogger(__name__)
_PROGRESS_EVERY_S = 0.2
# The entries of a result that Tune itself reads after its callbacks.
_TUNES_OWN = {"done", "training_iteration", "trial_id", "node_ip", "pid", "should_checkpoint"}


class DriverCallback(Callback):  # type: ignore[misc]
    """Keeps the board, the store and MLflow up to date with what the trial actors report.

    Tune calls its methods in the thread of its loop, which waits for them, so none of them may take
    long.

    Args:
        trials: the trials that are left to run.
        store: where trials are kept.
        sweep: the name of the sweep.
        rule: the rule by which the sweep stops trials early, as plain values; None if it has none.
        stops: gets the result of each trial that is stopped early, by trial id.
        heard: the last step that this driver has heard of, by trial id, of each trial that may
            still be stopped early. It is kept up to date.
        writer: the process that writes to MLflow.
        board: the progress that people see.
        emission: gets back trials that have to be started again, and loses those that fail before
            they were started.
        over: is called with each trial that has ended.
        families: which trials start from the results of others.
        time_limit: the seconds for which a trial may work; None for no limit.
    """

    def __init__(
        self,
        trials: Iterable[PlannedTrial],
        store: Store,
        sweep: str,
        rule: Mapping[str, Any] | None,
        stops: dict[str, TrialResult],
        heard: dict[str, int],
        writer: WriterProcess,
        board: Board,
        emission: Emission,
        over: Callable[[PlannedTrial], None],
        families: Families,
        time_limit: float | None = None,
    ) -> None:
        self._trials = {trial.trial_id: trial for trial in trials}
        self._store = store
        self._folder = store.sweep(sweep)
        self._rule = rule
        self._stops = stops
        self._writer = writer
        self._board = board
        self._emission = emission
        self._families = families
        self._tell_over = over
        self._deaths = Deaths(_living_nodes)
        self._draining = never()
        self._time = TimeLimit(time_limit, ray.kill)
        # The machine from which a trial has answered last, by trial id.
        self._nodes: dict[str, str] = {}
        self._heard = heard
        # The last step for which MLflow was brought up to date.
        self._told: dict[str, int] = {}
        self._progress_at = 0.0
        self._progress: list[str] = []
        self._lanes: dict[str, Any] = {}
        self._elastic: Elastic | None = None
        self._late = LateWrites(self._note)
        self.training_seconds = 0.0

    def __getstate__(self) -> dict[str, object]:
        """Nothing is pickled.

        Tune saves its callbacks with its own record of a run. We never read that record, and
        threads and pipes cannot be pickled.
        """
        return {}

    def watch(self, elastic: Elastic, draining: Draining) -> None:
        """Follow a Ray whose machines come and go, from now on."""
        self._elastic, self._draining = elastic, draining

    def finish(self) -> None:
        """Write what could not be written while the store was away.

        Raises:
            StoreError: if the store does not come back.
        """
        self._late.finish()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Handle one answer of a trial actor: a report, an end, or a failure."""
        answer = Answer.from_json(result["qhn"])
        over = bool(result["done"])
        # Tune keeps the last result of every trial until the sweep ends, with statistics of each
        # number in it. Callbacks may change a result, so we remove everything that nobody needs.
        for name in result.keys() - _TUNES_OWN:
            del result[name]
        trial_id = answer.trial_id
        self._board.phase = "training"
        self._nodes[trial_id] = answer.node
        self._time.heard(trial_id, answer.seconds, answer.step)
        self.training_seconds += answer.seconds
        for note in answer.notes:
            self._note(note)
        if answer.waiting:
            # A write of our own says when the store can be used again, and tells people about it.
            # One is enough, however many trials wait.
            if not self._late.is_waiting:
                self._late.do(lambda: self._folder.save_progress(self._board.running()))
            return
        if answer.store_error is not None:
            # The store cannot be used, so no other trial could be kept either: the sweep ends.
            raise StoreError(answer.store_error)
        standing = self._board.lanes.of(trial_id)
        if standing is not None and answer.lane is not None:
            standing.heard(trial_id, answer.lane)
        if answer.error is not None:
            self._fail(trial_id, answer.error)
        elif answer.paused:
            self._pause(trial_id, answer.paused)
        elif answer.finished:
            self._end(trial_id, answer.metrics)
        elif over:
            # The trial has not said that it is finished, so Tune's scheduler has stopped it.
            self._stop(answer)
        else:
            self._board.move(trial_id, "running")
            # If no report was made since the last answer, MLflow needs nothing new.
            if self._told.get(trial_id) != answer.step:
                self._told[trial_id] = answer.step
                if trial_id in self._heard:
                    self._heard[trial_id] = answer.step
                self._writer.update([self._trials[trial_id]])

    def _note(self, note: str) -> None:
        _log.warning("%s", note)
        self._board.notes.append(note)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a trial runs."""
        trial_id = str(trial.config["id"])
        self._board.move(trial_id, "running")
        self._emission.begins(self._trials[trial_id])
        self._time.begins(trial_id, trial.temporary_state.ray_actor)
        self._draining.begins(trial_id, trial.temporary_state.ray_actor)
        if (standing := self._board.lanes.of(trial_id)) is not None:
            standing.place(trial_id, "computing")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Start a trial whose process died again from its checkpoint, unless it dies too often.

        Tune could restart trials itself. But if a process dies while it takes up a trial, Tune
        counts that twice and gives the trial up.
        """
        trial_id = str(trial.config["id"])
        said = _what_ray_said(trial)
        node = self._nodes.pop(trial_id, "")
        self._leaves(trial_id)
        self._draining.leaves(trial_id)
        self._time.leaves(trial_id)
        if (why := self._time.why_ended(trial_id)) is not None:
            self._give_up(trial_id, why)
        elif is_out_of_memory(said):
            self._wanted_memory(trial_id, said)
        else:
            self._deaths.note(trial_id, node, said)
            if self._deaths.may_go_on(trial_id):
                self._start_again(trial_id)
            else:
                died = "the trial's process died"
                first = said.partition("\n")[0]
                self._give_up(trial_id, f"{died}: {first}" if first else died, said)

    def _wanted_memory(self, trial_id: str, why: str) -> None:
        """Start a trial that was killed for want of memory again with more of it, but only once."""
        trial = self._trials[trial_id]
        if reserved := self._emission.memory_of(trial):
            self._give_up(trial_id, twice_out_of_memory(why, reserved))
            return
        memory = second_reservation(trial, self._emission.lane_of(trial), nodes_of(ray.nodes()))
        self._note(
            f"trial {trial_id} was killed for want of memory; it goes on from its checkpoint with "
            f"{size_text(memory)} reserved for it"
        )
        self._start_again(trial_id, memory)

    def _start_again(self, trial_id: str, memory: int = 0) -> None:
        self._board.move(trial_id, "waiting")
        self._emission.again(self._trials[trial_id], memory)

    def _give_up(self, trial_id: str, why: str, said: str = "") -> None:
        self._fail(trial_id, TrialError(why, said or why, int(time.time() * 1000)))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Save which trials run, for `qhn sweep status` in another terminal.

        Raises:
            FencedError: if another driver has taken the sweep over.
        """
        self._folder.lock.check()
        if self._elastic is not None:
            self._elastic.look()
        self._draining.look(self._nodes)
        self._late.again()
        self._time.look()
        now = time.monotonic()
        if now - self._progress_at < _PROGRESS_EVERY_S:
            return
        running = self._board.running()
        lanes = self._board.lanes.content() if self._board.lanes.standings else {}
        if (running, lanes) != (self._progress, self._lanes):
            self._progress_at = now
            try:
                if running != self._progress:
                    self._folder.save_progress(running)
                if lanes != self._lanes:
                    self._folder.save_lanes(lanes)
            except DamagedError as damage:
                self._note(self._store.mend(damage))
            except StoreError as error:
                # This is for those who look on, and soon written again.
                _log.warning("%s", error)
            self._progress, self._lanes = running, lanes

    def _stop(self, answer: Answer) -> None:
        """Save the result of a trial that is stopped early, with the sweep and not with the trial.

        Another sweep may train the same trial to its end.
        """
        if answer.stop is None:
            # Its numbers are not finite. The scheduler has stopped it for its bad score, but its
            # training has failed.
            message = (
                f"a training must come to finite numbers, but at step {answer.step} it had not"
            )
            self._fail(answer.trial_id, TrialError(message, message, int(time.time() * 1000)))
            return
        source = "the answer of a trial actor"
        stop = read_result(answer.stop.encode(), answer.trial_id, source)
        assert isinstance(stop, TrialResult) and self._rule is not None
        self._stops[answer.trial_id] = stop
        rule = self._rule
        self._late.do(lambda: self._folder.save_stop(rule, stop))
        self._end(answer.trial_id, stop.metrics)

    def _pause(self, trial_id: str, why: str) -> None:
        """Note that a trial does not go on in this run, because its budget is spent.

        It has no result and no error. The next run of the sweep goes on with it.
        """
        self._board.lanes.paused[trial_id] = why
        self._board.move(trial_id, "waiting")
        self._over(trial_id)

    def _leaves(self, trial_id: str) -> None:
        if (standing := self._board.lanes.of(trial_id)) is not None:
            standing.place(trial_id, None)

    def _end(self, trial_id: str, metrics: Mapping[str, float]) -> None:
        self._board.move(trial_id, "finished", metrics[HEADLINE])
        self._families.has_finished(trial_id)
        self._over(trial_id)

    def _fail(self, trial_id: str, error: TrialError) -> None:
        self._late.do(lambda: self._store.save_error(trial_id, error))
        self._board.move(trial_id, "failed")
        self._over(trial_id)
        for child in self._families.children(trial_id):
            self._emission.drop(child)
            parent = f"{trial_id} ({self._trials[trial_id].label})"
            self._fail(child.trial_id, fails_with(parent, error.message))

    def _over(self, trial_id: str) -> None:
        self._leaves(trial_id)
        self._nodes.pop(trial_id, None)
        self._draining.leaves(trial_id)
        self._time.over(trial_id)
        self._told.pop(trial_id, None)
        self._heard.pop(trial_id, None)
        self._tell_over(self._trials[trial_id])
        self._writer.update([self._trials[trial_id]])


def _what_ray_said(trial: Any) -> str:
    """Why the process of a trial has died, in Ray's words; empty if it says nothing."""
    # Tune tells its callbacks nothing of the error. It has written it into a local file just now,
    # below a line of its own. What its method `get_error` reads is a copy that it makes later.
    if (path := trial.error_file) is None:
        return ""
    with suppress(OSError):
        return Path(path).read_text(errors="replace").partition("\n")[2].strip()
    return ""


def _living_nodes() -> set[str]:
    """The ids of the machines that Ray has now and that nobody takes away; none without a Ray."""
    if not ray.is_initialized():
        return set()
    return {str(node["NodeID"]) for node in ray.nodes() if node["Alive"]} - draining_machines()
