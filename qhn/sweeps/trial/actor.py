"""The Ray Tune trial actor: one process, one open device, one trial after another."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import ray
from ray import tune

from qhn.core.errors import StoreError
from qhn.core.evaluation.problem import Problem
from qhn.devices import DeviceHandle, open_device
from qhn.sweeps.config import factory as build
from qhn.sweeps.config.sections import DeviceConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import open_store
from qhn.sweeps.trial.session import TrialSession
from qhn.sweeps.trial.shared_tables import fetch

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
        score: str | None,
    ) -> None:
        """Called once per process; see `reset_config` for later trials.

        Args:
            config: of the first trial.
            store_uri: where trials are kept.
            problems: references to the shared tables, by problem key.
            threads: that libraries may use in this process.
            score: the metric that early stopping compares, None where the sweep stops none early.
        """
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
        self._store = open_store(store_uri)
        self._score = score
        self._references = problems
        self._problem: tuple[str, Problem] | None = None
        self._device: tuple[DeviceConfig, DeviceHandle] | None = None
        self._take(config)

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        """Take the next trial without a new process."""
        self._take(new_config)
        return True

    def _take(self, config: Mapping[str, Any]) -> None:
        # Work begins with the first step, so that Tune's loop never waits for a trial to be taken.
        self._trial = TrialConfig.from_json(config["trial"])
        self._session: TrialSession | None = None

    def _open_session(self) -> TrialSession:
        problem, device = self._problem_of(self._trial), self._device_of(self._trial)
        return TrialSession(self._trial, problem, device, self._store)

    def _problem_of(self, trial: TrialConfig) -> Problem:
        key = trial.problem_key
        if self._problem is None or self._problem[0] != key:
            self._problem = (key, fetch(self._references[key]))
        return self._problem[1]

    def _device_of(self, trial: TrialConfig) -> DeviceHandle:
        wanted, ansatz = trial.device, build.ansatz(trial)
        if self._device is not None:
            config, handle = self._device
            if (config, handle.ansatz) == (wanted, ansatz):
                return handle
            handle.close()
        self._device = (wanted, open_device(wanted.name, ansatz))
        return self._device[1]

    def step(self) -> dict[str, Any]:
        """One piece of work, one result for Tune; the last one says ``done``."""
        answer: dict[str, Any] = {"qhn_trial": self._trial.trial_id, "done": True, "step": 0}
        try:
            session = self._session = self._session or self._open_session()
        except Exception as error:  # noqa: BLE001 - recorded with the trial, whatever it is
            return answer | {"qhn_error": _describe(error)}
        try:
            progress = session.work(PIECE_SECONDS if self._score is None else 0.0)
        except StoreError as error:
            return answer | {"qhn_store_error": str(error)}
        except Exception as error:  # noqa: BLE001 - recorded with the trial, whatever it is
            return answer | {"qhn_error": _describe(error)}
        answer |= {
            "step": progress.step,
            "done": progress.finished,
            # Tune sets `done` as well where its scheduler stops a trial.
            "qhn_finished": progress.finished,
            "qhn_seconds": progress.seconds,
            "qhn_metrics": dict(progress.metrics),
        }
        if self._score is not None:
            answer["qhn_score"] = progress.metrics[self._score]
        return answer

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: the store has the trial's state."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: the session has read the store."""

    def cleanup(self) -> None:
        """Close the device when the process ends."""
        if self._device is not None:
            self._device[1].close()
            self._device = None


def _describe(error: Exception) -> tuple[str, str]:
    """Message and traceback of an error, as plain text that any process can read."""
    return f"{type(error).__name__}: {error}".strip(), traceback.format_exc()
