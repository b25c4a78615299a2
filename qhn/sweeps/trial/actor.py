"""The Ray Tune trial actor: one process, one open device, one trial after another."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping
from typing import Any

from ray import tune

from qhn.core.errors import DivergedError, StoreError
from qhn.core.evaluation.problem import Problem
from qhn.devices import DeviceHandle
from qhn.sweeps.config import factory
from qhn.sweeps.config.devices import DeviceConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import TrialError, open_store
from qhn.sweeps.trial.messages import Answer
from qhn.sweeps.trial.session import TrialSession
from qhn.sweeps.trial.tables import fetch

#: How long a piece of work takes, after which a trial is saved and its progress reported.
PIECE_SECONDS = 1.0


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Trains the trial that Tune hands over as JSON, and keeps it in the store.

    Tune's own checkpoints stay empty: an actor that is started again finds the trial's state in
    the store. A trial's exception is data, not a crash: the driver records it and goes on.
    """

    def setup(
        self, config: Mapping[str, Any], *, store_uri: str, tables: Any, threads: int, umask: int
    ) -> None:
        """Called once per process; see `reset_config` for later trials.

        Args:
            config: of the first trial.
            store_uri: where trials are kept.
            tables: handle of the actor that keeps the loss tables.
            threads: for numerical libraries; trials share the machine, so one each.
            umask: of the person's own process. Ray's processes inherit one that is made for
                Ray's secrets, and files in a store that a group shares would be private.
        """
        from threadpoolctl import threadpool_limits

        from qhn.core.warmup import compile_all

        os.umask(umask)
        threadpool_limits(threads)
        # Here and not in the first step, so that a trial's time is time of training: on a new
        # machine compiling takes many times as long as the trial.
        compile_all()
        self._store_uri = store_uri
        self._tables = tables
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
        # The metric by which this sweep stops trials early, if it does.
        self._score: str | None = config.get("score")
        self._session: TrialSession | None = None

    def _open_session(self) -> TrialSession:
        problem, device = self._problem_of(self._trial), self._device_of(self._trial)
        # Here and not in `setup`: what is wrong with the store is then an answer like any other.
        return TrialSession(self._trial, problem, device, open_store(self._store_uri))

    def _problem_of(self, trial: TrialConfig) -> Problem:
        key = trial.problem_key
        if self._problem is None or self._problem[0] != key:
            # Let go of the old one first: both at once may be more than the memory holds.
            self._problem = self._session = None
            self._problem = (key, fetch(self._tables, trial))
        return self._problem[1]

    def _device_of(self, trial: TrialConfig) -> DeviceHandle:
        wanted, ansatz = trial.device, factory.ansatz(trial)
        if self._device is not None:
            config, handle = self._device
            if (config, handle.ansatz) == (wanted, ansatz):
                return handle
            handle.close()
        self._device = (wanted, wanted.open(ansatz))
        return self._device[1]

    def step(self) -> dict[str, Any]:
        """One piece of work, one result for Tune; the last one says ``done``."""
        answer = self._work()
        if answer.is_over:
            # A table that nobody holds any more makes room for another one; to fetch it again
            # for the next trial costs a message, since it lies in shared memory.
            self._problem = self._session = None
        # Tune's scheduler reads the score beside its own ``training_iteration``.
        score = answer.metrics.get(self._score) if self._score else None
        return {
            "done": answer.is_over,
            "step": answer.step,
            "qhn": answer.to_json(),
            **({} if score is None else {"qhn_score": score}),
        }

    def _work(self) -> Answer:
        trial_id = self._trial.trial_id
        try:
            session = self._session = self._session or self._open_session()
            progress = session.work(PIECE_SECONDS, until_report=self._score is not None)
            stop = None
            if self._score is not None and not progress.finished:
                # Should the scheduler end the trial here, this is what it ends with. The store's
                # checkpoint may be further on by then, where another sweep trains the same trial.
                stop = session.stop()
        except StoreError as error:
            return Answer(trial_id, store_error=str(error))
        except Exception as error:  # noqa: BLE001 - recorded with the trial, whatever it is
            return Answer(trial_id, error=self._describe(error), notes=self._take_notes())
        return Answer(
            trial_id,
            step=progress.step,
            finished=progress.finished,
            seconds=progress.seconds,
            metrics=dict(progress.metrics),
            stop=None if stop is None else stop.to_json(),
            notes=self._take_notes(),
        )

    def _take_notes(self) -> tuple[str, ...]:
        """Each note is told once."""
        if self._session is None:
            return ()
        notes, self._session.notes = tuple(self._session.notes), []
        return notes

    def _describe(self, error: Exception) -> TrialError:
        """Message and traceback of an error, as plain text that any process can read."""
        message = str(error)
        if not isinstance(error, DivergedError):
            message = f"{type(error).__name__}: {error}".strip()
        flags = self._session.flags() if self._session is not None else {}
        return TrialError(message, traceback.format_exc(), int(time.time() * 1000), flags)

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
