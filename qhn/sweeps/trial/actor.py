"""The Ray Tune actor that trains trials: one process with one open device, one trial at a time."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ray
from ray import tune

from qhn.core.errors import DivergedError, LaneError, StoreError
from qhn.core.evaluation.task import Task
from qhn.devices import DeviceHandle
from qhn.lanes.client import BrokerClient
from qhn.lanes.ticket import Ticket
from qhn.sweeps.config import factory
from qhn.sweeps.config.devices import DeviceConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import Store, TrialError, open_store
from qhn.sweeps.store.lane_place import open_place
from qhn.sweeps.trial.answering import PIECE_SECONDS, work_until_answer
from qhn.sweeps.trial.lane_opening import lane_sampler, open_device
from qhn.sweeps.trial.lane_sampler import LaneSampler
from qhn.sweeps.trial.leaving import Leaving, wait_until_drained
from qhn.sweeps.trial.messages import Answer
from qhn.sweeps.trial.patience import StorePatience, is_away
from qhn.sweeps.trial.session import Progress, TrialSession
from qhn.sweeps.trial.tables import fetch


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Trains the trial that Tune hands over as JSON text, and keeps it in the store.

    Tune's own checkpoints stay empty, because an actor that is started again finds the state of its
    trial in the store. An exception during training does not end the actor. It is sent to the
    driver, which saves it as the trial's error, and the actor takes the next trial.
    """

    def setup(
        self, config: Mapping[str, Any], *, store_uri: str, tables: Any, threads: int, umask: int
    ) -> None:
        """Prepare the process. Tune calls this once, and `reset_config` for each later trial.

        Args:
            config: Tune's configuration of the first trial.
            store_uri: the address of the store.
            tables: the handle of the actor that keeps the loss tables.
            threads: how many threads numerical libraries may use. Trials share the machine, so
                each of them gets one.
            umask: the umask of the user's own process. Ray's processes inherit a stricter one,
                which protects Ray's secrets. With that one, nobody else could read the files in a
                store that a group of users shares.
        """
        from threadpoolctl import threadpool_limits

        from qhn.core.warmup import compile_all

        os.umask(umask)
        threadpool_limits(threads)
        # The engine is compiled here and not in the first step, so that it does not count as
        # training time. On a new machine it takes many times as long as the trial.
        compile_all()
        self._leaving = Leaving()
        self._leaving.listen()
        self._store_uri = store_uri
        self._tables = tables
        self._problem: tuple[str, Task] | None = None
        self._umask = umask
        self._patience = StorePatience()
        self._node = str(ray.get_runtime_context().get_node_id())
        self._device: tuple[DeviceConfig, Ticket | None, DeviceHandle] | None = None
        self._sampler: LaneSampler | None = None
        self._take(config)

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        """Take the next trial in the same process. True tells Tune that this is possible."""
        self._take(new_config)
        return True

    def _take(self, config: Mapping[str, Any]) -> None:
        # Everything slow is left to the first step, because Tune's loop waits until a trial has
        # been taken.
        self._leave_lane()
        self._trial = TrialConfig.from_json(config["trial"])
        ticket = config.get("ticket")
        self._ticket = None if ticket is None else Ticket.from_json(ticket)
        self._submitted: tuple[str, str] | None = None
        # The metric by which this sweep stops trials early, or None.
        self._score: str | None = config.get("score")
        self._answer_s = float(config["answer_s"])
        self._session: TrialSession | None = None

    def _open_session(self) -> TrialSession:
        problem, device = self._problem_of(self._trial), self._device_of(self._trial)
        # The store is opened here and not in `setup`, so that an error of the store is sent to the
        # driver like any other. An error in `setup` would end the process.
        store = open_store(self._store_uri)
        self._enter_lane(device, store)
        leaving = self._leaving.is_wanted
        return TrialSession(self._trial, problem, device, store, self._sampler, leaving)

    def _enter_lane(self, device: DeviceHandle, store: Store) -> None:
        """Get ready to take turns, if the device has a queue."""
        self._leave_lane()
        if self._ticket is not None:
            desk = BrokerClient(self._ticket.queue, open_place, self._umask)
            self._sampler = lane_sampler(self._trial, device, self._ticket, desk, store)
            self._sampler.submitted = self._submitted
            self._submitted = None

    def _leave_lane(self) -> None:
        """Let others have what the trial may still hold in its lane."""
        if self._sampler is not None:
            self._sampler.close()
            self._sampler = None

    def _problem_of(self, trial: TrialConfig) -> Task:
        key = trial.shared_key
        if self._problem is None or self._problem[0] != key:
            # The old table is released first, because there may not be memory for both.
            self._problem = self._session = None
            self._problem = (key, fetch(self._tables, trial))
        return self._problem[1]

    def _device_of(self, trial: TrialConfig) -> DeviceHandle:
        ansatz = factory.ansatz(trial)
        if self._device is not None:
            config, ticket, handle = self._device
            if (config, ticket, handle.ansatz) == (trial.device, self._ticket, ansatz):
                return handle
            handle.close()
            self._device = None
        handle = open_device(trial, self._ticket)
        self._device = (trial.device, self._ticket, handle)
        return handle

    def step(self) -> dict[str, Any]:
        """Do one piece of work, and return its result for Tune. The last one says ``done``."""
        answer = self._work()
        if answer.is_over:
            # The table is released, so that its memory can be freed. If the next trial needs the
            # same one, fetching it takes only a message, because it is in shared memory.
            self._problem = self._session = None
            self._leave_lane()
        answer = replace(answer, node=self._node)
        # The scheduler reads ``step`` and ``qhn_score``; the rest is for the callback.
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
            progress = self._train(session)
            self._patience.over()
            stop = None
            if self._score is not None and not (progress.finished or progress.paused):
                # If the scheduler stops the trial now, this is its result. It cannot be taken from
                # the store later, because another sweep may have trained the trial further.
                stop = session.stop()
        except StoreError as error:
            return self._wait_for_store(error)
        except (KeyboardInterrupt, SystemExit):
            raise
        # Code in Rust, such as Qiskit's, ends with an error that is no `Exception`.
        except BaseException as error:  # noqa: BLE001 - recorded with the trial, whatever it is
            return Answer(
                trial_id,
                error=self._describe(error),
                notes=self._take_notes(),
                lane=None if self._sampler is None else self._sampler.content(),
            )
        return Answer(
            trial_id,
            step=progress.step,
            finished=progress.finished,
            seconds=progress.seconds,
            metrics=dict(progress.metrics),
            stop=None if stop is None else stop.to_json(),
            notes=self._take_notes(),
            lane=progress.lane,
            paused=progress.paused,
        )

    def _wait_for_store(self, error: StoreError) -> Answer:
        """Wait a little for a store that cannot be used, or say that the sweep must end."""
        trial_id = self._trial.trial_id
        pause = self._patience.pause(error, lambda: is_away(self._store_uri))
        if pause is None:
            return Answer(trial_id, store_error=str(error))
        # What was not saved is computed again from the checkpoint, with the same numbers. Only what
        # a provider has accepted meanwhile is known nowhere else.
        if self._sampler is not None:
            self._submitted = self._sampler.submitted
        self._session = None
        self._leave_lane()
        time.sleep(pause)
        return Answer(trial_id, waiting=str(error))

    def _train(self, session: TrialSession) -> Progress:
        """Train until the driver should hear of the trial again.

        Raises:
            SystemExit: if the process was told to leave meanwhile. The trial is saved.
        """
        with self._leaving.put_off(self._make_ready_to_leave):
            # An early stop is decided at each report, and a lane shows where each of its trials is.
            if self._score is not None or self._sampler is not None:
                return session.work(PIECE_SECONDS, until_report=self._score is not None)
            leaving = self._leaving.is_wanted
            return work_until_answer(session, self._answer_s, must_leave=leaving)

    def _take_notes(self) -> tuple[str, ...]:
        """The notes since the last call."""
        if self._session is None:
            return ()
        notes, self._session.notes = tuple(self._session.notes), []
        if self._sampler is not None:
            notes += tuple(self._sampler.notes)
            self._sampler.notes.clear()
        return notes

    def _describe(self, error: BaseException) -> TrialError:
        """The message and the traceback of an error as plain text.

        The exception itself is not sent, because the driver could not load the class of every
        exception.
        """
        message = str(error)
        if not isinstance(error, DivergedError | LaneError):
            message = f"{type(error).__name__}: {error}".strip()
        flags = self._session.flags() if self._session is not None else {}
        return TrialError(message, traceback.format_exc(), int(time.time() * 1000), flags)

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Save nothing, because the store has the state of the trial."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Load nothing, because the session reads the state of the trial from the store."""

    def _make_ready_to_leave(self) -> None:
        self.cleanup()
        wait_until_drained(self._node)

    def leave(self) -> None:
        """End this process. The driver calls it if the machine is being drained.

        It comes between two calls of `step`, so that the trial is saved.
        """
        self.cleanup()
        ray.actor.exit_actor()

    def cleanup(self) -> None:
        """Leave the lane and close the device when the process ends."""
        self._leave_lane()
        if self._device is not None:
            self._device[-1].close()
            self._device = None
