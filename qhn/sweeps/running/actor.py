"""The Ray Tune trial actor: one process, one open device, one trial after another."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import Any

import ray
from ray import tune

from qhn.core.problem import Problem
from qhn.devices import DeviceHandle, open_device
from qhn.sweeps import build
from qhn.sweeps.config import TrialConfig
from qhn.sweeps.running.problems import fetch
from qhn.sweeps.running.session import TrialSession
from qhn.sweeps.store import TrialError, open_store

PIECE_SECONDS = 1.0


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Trains the trial that Tune hands over as JSON, and keeps it in the store.

    Tune's own checkpoints stay empty: an actor that is started again finds the trial's state in
    the store. A trial's exception is data, not a crash: the driver records it and goes on.
    """

    def setup(
        self,
        config: Mapping[str, Any],
        *,
        store_uri: str,
        problems: Mapping[str, ray.ObjectRef],
        threads: int,
    ) -> None:
        """Called once per process; see `reset_config` for later trials."""
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
        self._store = open_store(store_uri)
        self._references = problems
        self._problem: tuple[str, Problem] | None = None
        self._device: DeviceHandle | None = None
        self._begin(config)

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        """Take the next trial without a new process."""
        self._begin(new_config)
        return True

    def _begin(self, config: Mapping[str, Any]) -> None:
        self._session: TrialSession | None = None
        self._error: TrialError | None = None
        self._trial = TrialConfig.from_json(config["trial"])
        try:
            problem, device = self._problem_of(self._trial), self._device_of(self._trial)
            self._session = TrialSession(self._trial, problem, device, self._store)
        except Exception as error:  # noqa: BLE001 - recorded with the trial, whatever it is
            self._error = _describe(error)

    def _problem_of(self, trial: TrialConfig) -> Problem:
        key = trial.problem_key
        if self._problem is None or self._problem[0] != key:
            self._problem = (key, fetch(self._references[key]))
        return self._problem[1]

    def _device_of(self, trial: TrialConfig) -> DeviceHandle:
        ansatz, name = build.ansatz(trial), trial.device.name
        if self._device is None or (self._device.name, self._device.ansatz) != (name, ansatz):
            if self._device is not None:
                self._device.close()
            self._device = open_device(name, ansatz)
        return self._device

    def step(self) -> dict[str, Any]:
        """One piece of work, one result for Tune; the last one says ``done``."""
        answer: dict[str, Any] = {"qhn_trial": self._trial.trial_id, "done": True, "step": 0}
        if self._session is not None:
            early = self._trial.early_stopping is not None
            try:
                progress = self._session.work(0.0 if early else PIECE_SECONDS)
            except Exception as error:  # noqa: BLE001 - recorded with the trial, whatever it is
                self._error = _describe(error)
            else:
                answer |= {
                    "step": progress.step,
                    "done": progress.finished,
                    # Tune sets `done` as well where its scheduler stops a trial.
                    "qhn_finished": progress.finished,
                    "qhn_seconds": progress.seconds,
                    "qhn_metrics": dict(progress.metrics),
                }
                if self._trial.early_stopping is not None:
                    metric = self._trial.early_stopping.metric
                    answer["qhn_score"] = progress.metrics[metric]
        if self._error is not None:
            answer["qhn_error"] = (self._error.message, self._error.traceback)
        return answer

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: the store has the trial's state."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: the session has read the store."""

    def cleanup(self) -> None:
        """Close the device when the process ends."""
        if self._device is not None:
            self._device.close()
            self._device = None


def _describe(error: Exception) -> TrialError:
    message = f"{type(error).__name__}: {error}".strip()
    return TrialError(message, traceback.format_exc(), int(time.time() * 1000))
