"""The training of one trial in pieces, from its configuration and its checkpoint to its result."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from qhn.core.arrays import ArrayState
from qhn.core.errors import DamagedError, DivergedError, InvalidValueError
from qhn.core.estimators.sampler import StillWaiting
from qhn.core.estimators.shots import mean_shots
from qhn.core.evaluation.task import Task
from qhn.core.metrics import BY_NAME
from qhn.core.simd.processor import processor_text
from qhn.core.training.diagnostics import shots_to_lift
from qhn.devices import DeviceHandle
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import Checkpoint, Store, TrialResult, read_history
from qhn.sweeps.trial.lane_sampler import LaneSampler
from qhn.sweeps.trial.lane_step import BudgetSpentError
from qhn.sweeps.trial.lane_use import LaneUse
from qhn.sweeps.trial.start import start_angles
from qhn.version import VERSION

#: How many of the most probable outcomes a result has.
TOP_STRINGS = 10


@dataclass(frozen=True)
class Progress:
    """How far a trial is after a piece of work.

    Attributes:
        step: the step of its last report; 0 if there was none yet.
        finished: whether the trial has made all its steps.
        metrics: the metrics of its last report; none if there was none yet.
        seconds: the time spent on this piece of work, without waiting for a queued device.
        lane: the account of a trial on a queued device and where it is, see `LaneUse.content`; None
            for any other trial.
        paused: why the trial does not go on for now, if its budget is spent; empty otherwise.
    """

    step: int
    finished: bool
    metrics: Mapping[str, float]
    seconds: float
    lane: Mapping[str, Any] | None = None
    paused: str = ""


class _Watch:
    """Measures training without the time for which samples were waited for."""

    def __init__(self, sampler: LaneSampler | None) -> None:
        self._sampler = sampler
        self._last = self._now()

    def lap(self) -> float:
        """The seconds since the last call."""
        before, self._last = self._last, self._now()
        return max(0.0, self._last - before)

    def _now(self) -> float:
        waited = 0.0 if self._sampler is None else self._sampler.waited_s
        return time.perf_counter() - waited


class TrialSession:
    """Trains one configuration on one device, from the store's checkpoint if there is one.

    Every piece of work ends with a checkpoint. Only then is the piece reported, so that no report
    is ever computed again with another time stamp.

    Args:
        config: the configuration of the trial.
        problem: the data of the trial, with its loss table if it needs one.
        device: an open handle for the circuit of the trial. The caller closes it.
        store: the store that keeps the trial; None if the trial is not to be kept.
        sampler: takes the trial's turn in its lane, if the device has a queue; None otherwise. The
            caller closes it.
        must_leave: returns whether the process is about to end. A piece of work then ends after the
            step that is under way.

    Attributes:
        notes: messages for people: about files of this trial that could not be used and were set
            aside, and about shots if its gradient was lost in their noise.

    Raises:
        StoreError: from the constructor and from `work`, if the store cannot be used. The reason is
            never this trial, and all other trials would fail in the same way.
    """

    def __init__(
        self,
        config: TrialConfig,
        problem: Task,
        device: DeviceHandle,
        store: Store | None,
        sampler: LaneSampler | None = None,
        must_leave: Callable[[], bool] = lambda: False,
    ) -> None:
        self.config = config
        self.notes: list[str] = []
        self._store = store
        self._sampler = sampler
        self._must_leave = must_leave
        self.trainer = factory.trainer(config, problem, device, _now_ms, sampler)
        self._seconds = 0.0
        self._started_ms = _now_ms()
        # The state of the last checkpoint. A result is made from it, so that it never contains
        # numbers that were not saved.
        self._saved: ArrayState = {}
        if store is not None:
            self._resume(store)
        if not self.trainer.step and (angles := start_angles(config, problem, store)) is not None:
            self.trainer.start_at(angles)

    def _resume(self, store: Store) -> None:
        """Continue from the checkpoint, if there is one that can be used.

        A checkpoint that cannot be used is set aside. Training then starts again, which costs time
        but gives the same numbers.
        """
        while True:
            try:
                store.save_config(self.config.trial_id, self.config.to_json())
                state = store.checkpoint(self.config.trial_id)
                if state is not None:
                    self._take(state)
                return
            except DamagedError as damage:
                # When this file has been set aside, there may be another checkpoint under a former
                # id. So the loop looks again.
                note = store.mend(damage)
                self.notes.append(f"{note}, and trial {self.config.trial_id} is trained again")

    def _take(self, state: Checkpoint) -> None:
        """Continue from a checkpoint that could be read. It may still come from another version.

        Raises:
            DamagedError: if it does not fit this trial.
        """
        try:
            notes = _notes(state)
            self.trainer.restore({k: v for k, v in state.items() if k != "notes"})
            self._seconds, self._started_ms = float(notes["seconds"]), int(notes["started_ms"])
            if self._sampler is not None:
                self._sampler.use = LaneUse.of(notes.get("lane", {}))
            # The next piece of work may bring nothing new to save.
            self._saved = state
        except (InvalidValueError, KeyError, TypeError, ValueError) as error:
            raise state.damage(f"it does not fit this trial: {error}") from error

    def work(self, seconds: float, *, until_report: bool = False) -> Progress:
        """Train for some time, or to the end of the training, and save a checkpoint.

        The piece of work ends after the first step at which the time is over, whether this step has
        a report or not. So a kill costs about this time at most, however rarely the trial reports.

        Args:
            seconds: how long to train.
            until_report: whether to end at the next report, if it comes before the time is over.

        Returns:
            How far the trial is.

        Raises:
            DivergedError: if the training has reached numbers that are not finite.
            StoreError: if the checkpoint or the result cannot be written.
        """
        trainer, before = self.trainer, self._seconds
        paused, moved = "", False
        deadline = time.perf_counter() + seconds
        watch = _Watch(self._sampler)
        try:
            while not trainer.finished:
                report = trainer.advance()
                moved = True
                if report is not None and (until_report or trainer.diverged):
                    break
                if time.perf_counter() >= deadline or self._must_leave():
                    break
                if self._sampler is not None and not trainer.finished:
                    # Each step is paid for, so it is saved before the next one is.
                    self._count(watch)
                    self._save()
                    moved = False
        except StillWaiting:
            pass
        except BudgetSpentError as spent:
            paused = str(spent)
        self._count(watch)
        if moved or self._sampler is None or trainer.finished:
            self._save()
        lane = None if self._sampler is None else self._sampler.content()
        spent_s, history = self._seconds - before, trainer.history
        if not len(history):
            return Progress(0, False, {}, spent_s, lane, paused)
        return Progress(history.steps[-1], trainer.finished, history.last(), spent_s, lane, paused)

    def _count(self, watch: _Watch) -> None:
        """Add the time since the last call to that of the training."""
        spent = watch.lap()
        self._seconds += spent
        if self._sampler is not None:
            self._sampler.use.classical_s += spent

    def _save(self) -> None:
        trainer, store = self.trainer, self._store
        if store is not None:
            self._saved = self.state()
            store.save_checkpoint(self.config.trial_id, self._saved)
        # Angles that are not finite never become finite again, so the training has diverged.
        # Metrics may become finite again, so they count only at the end.
        last = _known(trainer.history.last()) if len(trainer.history) else {}
        if trainer.diverged or (trainer.finished and not all(map(math.isfinite, last.values()))):
            raise DivergedError(_how_it_diverged(last, trainer.history.steps[-1]))
        if trainer.finished:
            self._advise()
            if store is not None:
                store.save_result(self.result("finished"))

    def _advise(self) -> None:
        """A note on what would mend a training whose gradient was lost in shot noise."""
        if "lost-in-shot-noise" not in self.flags():
            return
        device, what = self.config.device, "shots"
        count, shots = device.capabilities.trajectories, device.step_shots
        if shots is not None:
            # Shots that change are about as good as their mean number at every step.
            count = round(mean_shots(shots, self.config.training.steps))
            what = "shots" if isinstance(shots, int) else "shots on average"
        elif count is not None:
            # Averages over trajectories have noise as well, which falls with their number.
            what = "trajectories"
        if count is not None:
            needed = shots_to_lift(self.trainer.history, count)
            self.notes.append(
                f"the gradient of trial {self.config.trial_id} was lost in the noise of "
                f"{count:,} {what}; it takes at least {max(needed, count + 1):,} to see it"
            )

    def result(self, status: Literal["finished", "stopped"]) -> TrialResult:
        """The result of the trial if it ends with the piece of work that was saved last."""
        return result_of(self.config.trial_id, self._saved, status)

    def stop(self) -> TrialResult | None:
        """The result of the trial if it is stopped early at its last report.

        It is None if there is no report yet, or if a metric of it is not finite. The metrics may
        become finite again if the trial continues, but a result must be finite.
        """
        if not len(self.trainer.history):
            return None
        last = _known(self.trainer.history.last())
        return self.result("stopped") if all(map(math.isfinite, last.values())) else None

    def state(self) -> ArrayState:
        """The checkpoint: the arrays of the trainer, and as JSON all else that a result needs."""
        notes = {
            "seconds": self._seconds,
            "started_ms": self._started_ms,
            "flags": self.flags(),
            "top_strings": [top._asdict() for top in self.trainer.top_strings(TOP_STRINGS)],
            "version": VERSION,
            "processor": processor_text(),
        }
        if self._sampler is not None:
            notes["lane"] = asdict(self._sampler.use)
        # As an array of bytes, because an archive without pickle can hold only arrays of numbers or
        # of text, and text takes four bytes for each character.
        encoded = np.frombuffer(json.dumps(notes).encode(), dtype=np.uint8)
        return {**self.trainer.state(), "notes": encoded}

    def flags(self) -> dict[str, int]:
        """The failure signatures so far: the step at which each appeared, by its name."""
        # They are about distributions and gradients. A search ends with one network by its nature.
        if self.config.searches_networks:
            return {}
        return {flag.name: flag.step for flag in self.trainer.flags()}


def _known(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that this version computes.

    A history that a newer version began may have others. They are NaN from the step on at which
    this version continued it, which does not mean that the training diverged.
    """
    return {name: value for name, value in metrics.items() if name in BY_NAME}


def _now_ms() -> int:
    """Milliseconds since 1970: the time of reports, and of the start of a trial."""
    return int(time.time() * 1000)


def _how_it_diverged(metrics: Mapping[str, float], step: int) -> str:
    odd = [f"{name}={value}" for name, value in metrics.items() if not math.isfinite(value)]
    shown = ", ".join(odd[:3]) or "angles that are not finite"
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
    """The result of a trial, from its checkpoint: the metrics are those of its last report."""
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
        # A trial may be trained on several machines. The result names the last one.
        version=notes.get("version"),
        processor=notes.get("processor"),
        lane=notes.get("lane"),
    )
