"""One trial at work: from its configuration and the store to a result, in resumable pieces."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from qhn import __version__
from qhn.core.arrays import ArrayState
from qhn.core.errors import DamagedError, DivergedError, InvalidValueError
from qhn.core.evaluation.problem import Problem
from qhn.core.metrics import BY_NAME
from qhn.core.simd.processor import processor_text
from qhn.core.training.trainer import Trainer
from qhn.devices import DeviceHandle
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import Checkpoint, Store, TrialResult, read_history

TOP_STRINGS = 10


@dataclass(frozen=True)
class Progress:
    """Where a trial stands after a piece of work.

    Attributes:
        step: of its last report.
        finished: whether the trial is over.
        metrics: of its last report.
        seconds: spent on this piece.
    """

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

    Attributes:
        notes: what people should hear of: files of this trial that could not be used, and that
            were set aside.

    Raises:
        StoreError: from the constructor and from `work`, if the store cannot be used. That is
            never this trial's fault, and no other trial would fare better.
    """

    def __init__(
        self, config: TrialConfig, problem: Problem, device: DeviceHandle, store: Store | None
    ) -> None:
        self.config = config
        self.notes: list[str] = []
        self._store = store
        training = config.training
        self.trainer = Trainer(
            estimator=factory.estimator(config, problem, device),
            schedule=factory.schedule(config.objective.lambda_),
            optimiser=factory.optimiser(training),
            seed=config.seed,
            steps=training.steps,
            report_every=training.report_every or training.steps,
            clock=_now_ms,
        )
        self._seconds = 0.0
        self._started_ms = _now_ms()
        self._saved: ArrayState = {}
        if store is not None:
            self._resume(store)

    def _resume(self, store: Store) -> None:
        """Go on from the checkpoint. One that is of no use is set aside, and training starts anew.

        The same numbers come out, so starting anew costs time and nothing else; a trial that
        gave up here would cost the trial.
        """
        while True:
            try:
                store.save_config(self.config.trial_id, self.config.to_json())
                state = store.checkpoint(self.config.trial_id)
                if state is not None:
                    self._take(state)
                return
            except DamagedError as damage:
                # Behind the one that is set aside there may be another, of a former id.
                note = store.mend(damage)
                self.notes.append(f"{note}, and trial {self.config.trial_id} is trained again")

    def _take(self, state: Checkpoint) -> None:
        """Go on from arrays that could be read; they may still be those of another version.

        Raises:
            DamagedError: if they do not fit this trial.
        """
        try:
            notes = _notes(state)
            self.trainer.restore({k: v for k, v in state.items() if k != "notes"})
            self._seconds, self._started_ms = float(notes["seconds"]), int(notes["started_ms"])
        except (InvalidValueError, KeyError, TypeError, ValueError) as error:
            raise state.damage(f"it does not fit this trial: {error}") from error

    def work(self, seconds: float, *, until_report: bool = False) -> Progress:
        """Train for some time, or to the end; then save.

        The work ends at the first step after ``seconds``, whether that step reports or not: what a
        kill can cost is then a matter of time and not of how often a trial reports.

        Args:
            seconds: how long to train.
            until_report: end at the next report, should it come before the time is over.

        Raises:
            DivergedError: if the numbers are finite no more.
            StoreError: if the checkpoint or the result cannot be written.
        """
        trainer, begin = self.trainer, time.perf_counter()
        deadline = begin + seconds
        while not trainer.finished:
            report = trainer.advance()
            if report is not None and (until_report or trainer.diverged):
                break
            if time.perf_counter() >= deadline:
                break
        spent = time.perf_counter() - begin
        self._seconds += spent
        self._save()
        history = trainer.history
        return Progress(history.steps[-1], trainer.finished, history.last(), spent)

    def _save(self) -> None:
        trainer, store = self.trainer, self._store
        if store is not None:
            self._saved = self.state()
            store.save_checkpoint(self.config.trial_id, self._saved)
        # Angles that are not finite never become finite again. Other numbers may, so that they
        # count only at the end.
        last = _known(trainer.history.last())
        if trainer.diverged or (trainer.finished and not all(map(math.isfinite, last.values()))):
            raise DivergedError(_how_it_diverged(last, trainer.history.steps[-1]))
        if store is not None and trainer.finished:
            store.save_result(self.result("finished"))

    def result(self, status: Literal["finished", "stopped"]) -> TrialResult:
        """What the trial comes to if it ends with the piece of work that was saved last."""
        return result_of(self.config.trial_id, self._saved, status)

    def stop(self) -> TrialResult | None:
        """What the trial comes to if it is stopped at its last report.

        None where that is not finite: such a trial may come back to finite numbers, but it cannot
        end with others.
        """
        last = _known(self.trainer.history.last())
        return self.result("stopped") if all(map(math.isfinite, last.values())) else None

    def state(self) -> ArrayState:
        """The checkpoint: the trainer's arrays, and as JSON what a result needs besides."""
        notes = {
            "seconds": self._seconds,
            "started_ms": self._started_ms,
            "flags": self.flags(),
            "top_strings": [top._asdict() for top in self.trainer.top_strings(TOP_STRINGS)],
            "version": __version__,
            "processor": processor_text(),
        }
        encoded = np.frombuffer(json.dumps(notes).encode(), dtype=np.uint8)
        return {**self.trainer.state(), "notes": encoded}

    def flags(self) -> dict[str, int]:
        """Failure signatures so far, each with the step at which it appeared."""
        return {flag.name: flag.step for flag in self.trainer.flags()}


def _known(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of the metrics that this version computes: others, in a history that a newer version
    began, are not numbers any more, and that is no divergence.
    """
    return {name: value for name, value in metrics.items() if name in BY_NAME}


def _now_ms() -> int:
    """Milliseconds since 1970, which core is given, so that tests can give it theirs."""
    return int(time.time() * 1000)


def _how_it_diverged(metrics: Mapping[str, float], step: int) -> str:
    odd = [f"{name}={value}" for name, value in metrics.items() if not math.isfinite(value)]
    shown = ", ".join(odd[:3]) or "angles that are not"
    return (
        f"a training must come to finite numbers, but at step {step} it had {shown}; "
        "use a smaller learning rate, or a smaller λ"
    )


def _notes(state: ArrayState) -> dict[str, Any]:
    notes: dict[str, Any] = json.loads(state["notes"].tobytes())
    return notes


def result_of(
    trial_id: str, state: ArrayState, status: Literal["finished", "stopped"]
) -> TrialResult:
    """The result that a checkpoint stands for; for a trial stopped early, its last report."""
    history, notes = read_history(state), _notes(state)
    return TrialResult(
        trial_id=trial_id,
        status=status,
        steps=history.steps[-1],
        metrics=_known(history.last()),
        flags=notes["flags"],
        top_strings=tuple(notes["top_strings"]),
        training_seconds=notes["seconds"],
        started_ms=notes["started_ms"],
        finished_ms=history.timestamps[-1],
        # A trial may be trained on several machines; the one that ended it speaks for it.
        version=notes.get("version"),
        processor=notes.get("processor"),
    )
