"""What the driver does with each report of a trial actor."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ray.tune import Callback

from qhn.core.errors import DamagedError, StoreError
from qhn.core.metrics import HEADLINE
from qhn.sweeps.driver.board import Board
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import Store, TrialError, TrialResult
from qhn.sweeps.store.results import read_result
from qhn.sweeps.tracking import WriterProcess
from qhn.sweeps.trial.messages import Answer

_log = logging.getLogger(__name__)
_PROGRESS_EVERY_S = 0.2
# What Tune itself reads of a result once its callbacks have seen it.
_TUNES_OWN = {"done", "training_iteration", "trial_id", "node_ip", "pid", "should_checkpoint"}
#: How often a trial is begun anew after its process has died. More is no accident.
RESTARTS = 3


class DriverCallback(Callback):  # type: ignore[misc]
    """Keeps board, store and tracking up to date with what the trial actors report.

    Args:
        trials: those that are left.
        store: where trials are kept.
        sweep: the sweep's name.
        rule: how the sweep stops trials early, as plain values; None if it does not.
        stops: filled with the result of each trial that is stopped early.
        heard: of each trial that may still be stopped early, the last step that this driver has
            heard of; kept up to date.
        writer: brings MLflow up to date.
        board: what people look at.
        again: hands a trial over once more.
        over: told of each trial that is over.
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
        again: Callable[[PlannedTrial], None],
        over: Callable[[PlannedTrial], None],
    ) -> None:
        self._trials = {trial.trial_id: trial for trial in trials}
        self._store = store
        self._folder = store.sweep(sweep)
        self._rule = rule
        self._stops = stops
        self._writer = writer
        self._board = board
        self._again = again
        self._tell_over = over
        self._deaths: Counter[str] = Counter()
        self._heard = heard
        # The last step for which MLflow was brought up to date.
        self._told: dict[str, int] = {}
        self._progress_at = 0.0
        self._progress: list[str] = []
        self.training_seconds = 0.0

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune's record of a run is never read, and threads cannot be written to it."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A piece of work is done, or the trial is over, or it failed."""
        answer = Answer.from_json(result["qhn"])
        over = bool(result["done"])
        # Tune keeps the last result of every trial until the sweep ends, with an account of each
        # number in it. Callbacks may change a result, and nobody asks for more of it.
        for name in result.keys() - _TUNES_OWN:
            del result[name]
        trial_id = answer.trial_id
        self._board.phase = "training"
        self.training_seconds += answer.seconds
        for note in answer.notes:
            self._note(note)
        if answer.store_error is not None:
            # No trial's fault, and no trial would fare better.
            raise StoreError(answer.store_error)
        if answer.error is not None:
            self._fail(trial_id, answer.error)
        elif answer.finished:
            self._end(trial_id, answer.metrics)
        elif over:
            # The trial has not ended by itself: Tune's scheduler ends it here.
            self._stop(answer)
        else:
            self._board.move(trial_id, "running")
            # A piece of work that ended between two reports has nothing new for MLflow.
            if self._told.get(trial_id) != answer.step:
                self._told[trial_id] = answer.step
                if trial_id in self._heard:
                    self._heard[trial_id] = answer.step
                self._writer.update([self._trials[trial_id]])

    def _note(self, note: str) -> None:
        _log.warning("%s", note)
        self._board.notes.append(note)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial has an actor."""
        self._board.move(str(trial.config["id"]), "running")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial's process died: begin anew from its checkpoint; again and again is a failure.

        Tune could restart trials itself, but it counts a process that dies while it takes a trial
        up twice, and ends the trial.
        """
        trial_id = str(trial.config["id"])
        self._deaths[trial_id] += 1
        if self._deaths[trial_id] <= RESTARTS:
            self._board.move(trial_id, "waiting")
            self._again(self._trials[trial_id])
            return
        error = getattr(trial, "get_error", lambda: None)()
        message = f"the trial's process died: {error}" if error else "the trial's process died"
        self._fail(trial_id, TrialError(message, message, int(time.time() * 1000)))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tell `qhn sweep status` which trials run."""
        now, running = time.monotonic(), self._board.running()
        if running != self._progress and now - self._progress_at >= _PROGRESS_EVERY_S:
            self._progress, self._progress_at = running, now
            try:
                self._folder.save_progress(running)
            except DamagedError as damage:
                self._note(self._store.mend(damage))

    def _stop(self, answer: Answer) -> None:
        """Keep with the sweep what a trial comes to that is stopped early."""
        if answer.stop is None:
            # Not finite now, and stopped for that: it would have ended so.
            message = (
                f"a training must come to finite numbers, but at step {answer.step} it had not"
            )
            self._fail(answer.trial_id, TrialError(message, message, int(time.time() * 1000)))
            return
        source = "the answer of a trial actor"
        stop = read_result(answer.stop.encode(), answer.trial_id, source)
        assert isinstance(stop, TrialResult) and self._rule is not None
        self._stops[answer.trial_id] = stop
        self._folder.save_stop(self._rule, stop)
        self._end(answer.trial_id, stop.metrics)

    def _end(self, trial_id: str, metrics: Mapping[str, float]) -> None:
        self._board.move(trial_id, "finished", metrics[HEADLINE])
        self._over(trial_id)

    def _fail(self, trial_id: str, error: TrialError) -> None:
        self._store.save_error(trial_id, error)
        self._board.move(trial_id, "failed")
        self._over(trial_id)

    def _over(self, trial_id: str) -> None:
        self._told.pop(trial_id, None)
        self._heard.pop(trial_id, None)
        self._tell_over(self._trials[trial_id])
        self._writer.update([self._trials[trial_id]])
