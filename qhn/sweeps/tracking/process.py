"""The process that writes one sweep to MLflow: ``python -m qhn.sweeps.tracking.process``.

Writing runs takes about as much processor time as Tune's loop, and two threads of one process
would take turns where two processes run side by side. The driver starts this one and talks to it
through pipes (`qhn.sweeps.tracking.protocol`); this one reads the store by itself. It ends when the
driver says so, and promptly when the driver is gone.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from qhn.core.errors import QhnError, TrackingError
from qhn.sweeps.planning.plan import Plan, PlannedTrial, make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store, TrialRecord, open_store
from qhn.sweeps.tracking.knowledge import BELIEVE_THE_STORE, Known
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.opening import open_runs, settle
from qhn.sweeps.tracking.protocol import Message, decode, encode, error_to_json
from qhn.sweeps.tracking.runs import SweepRuns
from qhn.sweeps.tracking.writer import TrackingWriter

_log = logging.getLogger(__name__)
#: How long the writer of a driver that was killed may go on, and so how long the next one waits.
_LAST_WORDS_S = 10.0
_PATIENCE_S = 30.0
_TELL_EVERY_S = 0.2


class _Driver:
    """The pipe to the driver, which several threads write to."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._told_at = 0.0

    def send(self, message: Message) -> None:
        with self._lock:
            try:
                self._stream.write(encode(message))
                self._stream.flush()
            except OSError:  # it is gone, and whoever reads from it will notice
                pass

    def tell_waiting(self, waiting: int) -> None:
        """Say how many trials wait, but not after every one of thousands."""
        now = time.monotonic()
        if waiting == 0 or now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            self.send({"waiting": waiting})


@dataclass
class _Sweep:
    """The sweep that is written, and how far its driver knows its trials."""

    store: Store
    plan: Plan
    location: TrackingLocation
    known: dict[str, Known]

    def __post_init__(self) -> None:
        self.trials = {trial.trial_id: trial for trial in self.plan.trials}

    @classmethod
    def begin(cls, values: Message) -> _Sweep:
        database = None if values["database"] is None else Path(values["database"])
        return cls(
            open_store(values["store"]),
            make_plan(parse_spec(values["sweep"])),
            TrackingLocation(values["uri"], database, values["ours"]),
            _known(values["known"]),
        )

    def read(self, trial: PlannedTrial) -> TrialRecord:
        known = self.known.get(trial.trial_id, BELIEVE_THE_STORE)
        return known.read(self.store, trial.trial_id)

    def open_runs(self) -> SweepRuns:
        return open_runs(self.location, self.plan, self.read)


def _known(values: Message) -> dict[str, Known]:
    return {trial_id: Known.from_json(trial_id, known) for trial_id, known in values.items()}


class _Server:
    """Does what the driver asks for.

    One thread reads what the driver says, so that its end is noticed at once; another one does
    what takes time, in the order in which it was asked for; a third one is the writer's.
    """

    def __init__(self, driver: _Driver, sweep: _Sweep) -> None:
        self._driver = driver
        self._sweep = sweep
        self._writer = TrackingWriter(sweep.open_runs, sweep.read, told=driver.tell_waiting)
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="qhn-calls")
        self._worker.start()

    def listen(self, stream: BinaryIO) -> None:
        """Take messages until the driver ends, in order or not."""
        ended = False
        try:
            for line in stream:
                message = decode(line)
                ended = ended or "end" in message
                self._take(message)
        finally:
            if not ended:
                self._orphaned()
            self._calls.put(None)
            self._worker.join()

    def _take(self, message: Message) -> None:
        known = _known(message.get("known", {}))
        if "update" in message:
            # Of a trial of which nothing is said, the store may be believed from now on.
            for trial_id in message["update"]:
                self._sweep.known[trial_id] = known.get(trial_id, BELIEVE_THE_STORE)
            self._writer.update(self._trials(message["update"]))
        elif "known" in message:
            # In one step: the writer's thread reads it meanwhile.
            self._sweep.known = known
        elif "drop" in message:
            self._writer.drop()
        elif "call" in message:
            call = getattr(self, f"_{message['name']}")
            work = partial(call, **message["arguments"])
            self._calls.put(partial(self._answer, message["call"], work))

    def _trials(self, trial_ids: list[str]) -> list[PlannedTrial]:
        return [self._sweep.trials[trial_id] for trial_id in trial_ids]

    def _orphaned(self) -> None:
        """The driver was killed. What is open in MLflow is marked so, unless that takes long."""
        _log.warning("the driver has ended without a word; its open runs are marked as killed")
        timer = threading.Timer(_LAST_WORDS_S, os._exit, (1,))
        timer.daemon = True
        timer.start()
        self._writer.drop()
        self._calls.put(partial(self._answer, 0, self._mark_killed))

    def _mark_killed(self) -> None:
        self._close_sweep("KILLED", {}, {})

    def _work(self) -> None:
        # Held by this thread until the process ends. The driver's own lock is not enough: this
        # process may outlive a driver that was killed, and the next one's writer must wait for it.
        lock = self._sweep.store.sweep(self._sweep.plan.name).tracking_lock
        try:
            if not lock.acquire(_PATIENCE_S, f"process {os.getpid()}"):
                raise TrackingError(
                    f"one process at a time may write sweep {self._sweep.plan.name!r} to MLflow, "
                    f"but {lock.holder() or 'another one'} of a former run still does; wait for "
                    "it, or end it with: kill PROCESS"
                )
            self._writer.start()
            self._writer.wait_until_ready()
        except Exception as error:  # noqa: BLE001 - The driver waits for an answer in any case.
            self._driver.send({"failed": error_to_json(_in_words(error))})
            # The driver asks for nothing more; what the end of a lost driver asks for is in vain.
            while self._calls.get() is not None:
                pass
            return
        settle()
        self._driver.send({"ready": True})
        while (call := self._calls.get()) is not None:
            call()

    def _answer(self, number: int, work: Callable[[], Any]) -> None:
        try:
            answer: Message = {"value": work()}
        except Exception as error:  # noqa: BLE001 - The driver waits for an answer in any case.
            answer = {"error": error_to_json(_in_words(error))}
        self._driver.send({"answer": number} | answer)

    def _finish(self, trials: list[str], patience_s: float) -> int:
        # What the driver has not heard of by now, it takes from the store.
        return self._writer.finish(self._trials(trials), patience_s)

    def _close_sweep(
        self,
        status: str,
        artifacts: dict[str, str],
        tags: dict[str, str],
        note: str | None = None,
    ) -> None:
        # The writer's thread has ended by now, unless this comes after a drop.
        self._writer.close(0.0)
        self._writer.close_sweep(status, artifacts, tags, note)


def _in_words(error: Exception) -> QhnError:
    if isinstance(error, QhnError):
        return error
    _log.error("writing to MLflow failed", exc_info=error)
    return TrackingError(
        "the tracking store must be usable, but writing to it failed in a way that qhn does not "
        f"know ({type(error).__name__}: {error}); the log has the details"
    )


def main() -> None:
    """Serve the driver at the other end of standard input and output."""
    # Whatever libraries print goes to the log with their warnings, not between our messages.
    driver = _Driver(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    first = sys.stdin.buffer.readline()
    if not first:
        return
    try:
        sweep = _Sweep.begin(decode(first)["begin"])
    except Exception as error:  # noqa: BLE001 - The driver waits for an answer in any case.
        driver.send({"failed": error_to_json(_in_words(error))})
        return
    _Server(driver, sweep).listen(sys.stdin.buffer)


if __name__ == "__main__":
    main()
