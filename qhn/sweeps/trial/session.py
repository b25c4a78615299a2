"""One trial at work: from its configuration and the store to a result, in resumable pieces."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qhn.core.errors import DamagedError, InvalidValueError
from qhn.core.evaluation.problem import Problem
from qhn.core.training.trainer import Trainer
from qhn.devices import DeviceHandle
from qhn.sweeps.config import factory as build
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import Store, TrialResult, read_history

TOP_STRINGS = 10
State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Progress:
    """Where a trial stands: step and metrics of its last report, and whether it is over."""

    step: int
    finished: bool
    metrics: Mapping[str, float]
    seconds: float


class TrialSession:
    """Trains one configuration on one device, from the store's checkpoint where there is one.

    Every piece of work ends with a checkpoint, before anybody is told of it: what was reported
    is never computed again with other time stamps.

    Args:
        config: the trial.
        problem: data and tables of the trial.
        device: an open handle for the trial's circuit; the caller closes it.
        store: keeps the trial; None for a trial that nobody keeps.
    """

    def __init__(
        self, config: TrialConfig, problem: Problem, device: DeviceHandle, store: Store | None
    ) -> None:
        self.config = config
        self._store = store
        training = config.training
        self.trainer = Trainer(
            problem=problem,
            ansatz=device.ansatz,
            objective=build.objective(config, problem),
            schedule=build.schedule(config.objective.lambda_),
            optimiser=build.optimiser(config.training),
            seed=config.seed,
            steps=training.steps,
            report_every=training.report_every or training.steps,
            best_of=training.best_of,
            distribution=device,
        )
        self._seconds = 0.0
        self._started_ms = int(time.time() * 1000)
        if store is not None:
            store.save_config(config.trial_id, config.to_json())
            self._resume(store)

    def _resume(self, store: Store) -> None:
        try:
            state = store.checkpoint(self.config.trial_id)
        except DamagedError as error:
            store.set_aside(error)
            self._resume(store)
            return
        if state is None:
            return
        try:
            notes = _notes(state)
            self.trainer.restore({name: array for name, array in state.items() if name != "notes"})
            self._seconds, self._started_ms = notes["seconds"], notes["started_ms"]
        except (InvalidValueError, KeyError, ValueError) as error:
            # Of another version: to start again costs time, to stop would cost the trial.
            store.set_aside(state.damage(f"it is of another version ({error})"))
            self._resume(store)

    def work(self, seconds: float) -> Progress:
        """Train until the first report after ``seconds`` of work, or to the end; then save.

        With ``seconds=0`` the work ends at the next report.
        """
        begin = time.perf_counter()
        while not self.trainer.finished:
            report = self.trainer.advance()
            if report is not None and time.perf_counter() - begin >= seconds:
                break
        spent = time.perf_counter() - begin
        self._seconds += spent
        self._save()
        history = self.trainer.history
        return Progress(history.steps[-1], self.trainer.finished, history.last(), spent)

    def _save(self) -> None:
        if self._store is None:
            return
        state = self.state()
        self._store.save_checkpoint(self.config.trial_id, state)
        if self.trainer.finished:
            self._store.save_result(result_of(self.config.trial_id, state, "finished"))

    def state(self) -> State:
        """The checkpoint: the trainer's arrays, and as JSON what a result needs besides."""
        notes = {
            "seconds": self._seconds,
            "started_ms": self._started_ms,
            "flags": {flag.name: flag.step for flag in self.trainer.flags()},
            "top_strings": [top._asdict() for top in self.trainer.top_strings(TOP_STRINGS)],
        }
        encoded = np.frombuffer(json.dumps(notes).encode(), dtype=np.uint8)
        return {**self.trainer.state(), "notes": encoded}


def _notes(state: State) -> dict[str, Any]:
    notes: dict[str, Any] = json.loads(state["notes"].tobytes())
    return notes


def result_of(trial_id: str, state: State, status: Literal["finished", "stopped"]) -> TrialResult:
    """The result that a checkpoint stands for; for a trial stopped early, its last report."""
    history, notes = read_history(state), _notes(state)
    return TrialResult(
        trial_id=trial_id,
        status=status,
        steps=history.steps[-1],
        metrics=history.last(),
        flags=notes["flags"],
        top_strings=tuple(notes["top_strings"]),
        training_seconds=notes["seconds"],
        started_ms=notes["started_ms"],
        finished_ms=history.timestamps[-1],
    )
