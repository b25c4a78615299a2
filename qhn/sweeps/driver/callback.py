"""What the driver does with each report of a trial actor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ray.tune import Callback

from qhn.core.errors import StoreError
from qhn.sweeps.driver.progress import Board
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import Store, SweepStore, TrialError
from qhn.sweeps.tracking import TrackingWriter
from qhn.sweeps.trial.session import result_of

_PROGRESS_EVERY_S = 0.2
RESTARTS = 3


class DriverCallback(Callback):  # type: ignore[misc]
    """Keeps board, store and tracking up to date with what the trial actors report."""

    def __init__(
        self,
        trials: Iterable[PlannedTrial],
        store: Store,
        folder: SweepStore,
        writer: TrackingWriter,
        board: Board,
        again: Callable[[PlannedTrial], None],
    ) -> None:
        self._trials = {trial.trial_id: trial for trial in trials}
        self._store = store
        self._folder = folder
        self._writer = writer
        self._board = board
        self._again = again
        self._deaths: Counter[str] = Counter()
        self._progress_at = 0.0
        self._progress: list[str] = []
        self.training_seconds = 0.0

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune's record of a run is never read, and threads cannot be written to it."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: Mapping[str, Any], **info: Any
    ) -> None:
        """A piece of work is done, or the trial is over, or it failed."""
        trial_id = str(result["qhn_trial"])
        self._board.phase = "training"
        self.training_seconds += result.get("qhn_seconds", 0.0)
        if "qhn_store_error" in result:
            # No trial's fault, and no trial would fare better.
            raise StoreError(result["qhn_store_error"])
        if "qhn_error" in result:
            message, trace = result["qhn_error"]
            self._fail(trial_id, TrialError(message, trace, int(time.time() * 1000)))
        elif result["qhn_finished"]:
            self._end(trial_id, result["qhn_metrics"])
        elif result["done"]:
            self._stop_early(trial_id)
        else:
            self._board.move(trial_id, "running")
            self._writer.update([self._trials[trial_id]])

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
            self._folder.save_progress(running)

    def _end(self, trial_id: str, metrics: Mapping[str, float]) -> None:
        self._board.move(trial_id, "finished", metrics["test_accuracy_expected"])
        self._writer.update([self._trials[trial_id]])

    def _stop_early(self, trial_id: str) -> None:
        """The scheduler ends the trial here: its last checkpoint is its result."""
        state = self._store.checkpoint(trial_id)
        assert state is not None, "a trial is saved before it is reported"
        result = result_of(trial_id, state, "stopped")
        rule = self._trials[trial_id].config.early_stopping
        assert rule is not None, "nothing else ends a trial early"
        self._folder.save_stop(rule.model_dump(mode="json", by_alias=True), result)
        self._end(trial_id, result.metrics)

    def _fail(self, trial_id: str, error: TrialError) -> None:
        self._store.save_error(trial_id, error)
        self._board.move(trial_id, "failed")
        self._writer.update([self._trials[trial_id]])
