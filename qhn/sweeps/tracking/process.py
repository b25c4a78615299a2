"""The process that writes one sweep to MLflow: ``python -m qhn.sweeps.tracking.process``.

Writing runs takes about as much processor time as Tune's loop. Two threads of one Python process
would take turns, while two processes run at the same time. The driver starts this process and
sends it the ids of trials through a pipe (`qhn.sweeps.tracking.protocol`). The results themselves
are read from the store.

The process never outlives its driver for long (`qhn.sweeps.tracking.limits` has the seconds):

======================================  =====================================  ===================
The driver                              What the writer does                   Ends within
======================================  =====================================  ===================
lives, and has said "drop"              stops the calls made before it, at     when it is told to
                                        the next request; does later ones
lives, and has said "end"               does the calls made before it          20 s
has gone after it said "end"            does the calls made before it          20 s
has gone without a word                 stops all calls, marks the runs that   10 s
                                        are open as killed
has killed the writer, since a person   nothing; the next run of the sweep     at once
does not want to wait                   mends what is open
======================================  =====================================  ===================

A driver "has gone" when its end of the pipe is closed: it was killed, Ray has ended it, or memory
has run out. If its command line has a supervisor (`qhn.cli.supervisor`), that waits for the writer,
and kills a writer that does not keep to these times.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from qhn.core.errors import OwnerError, QhnError, TrackingError
from qhn.sweeps.planning.plan import Plan, PlannedTrial, make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store, TrialRecord, open_store
from qhn.sweeps.tracking.experiment import Experiment
from qhn.sweeps.tracking.knowledge import BELIEVE_THE_STORE, Known
from qhn.sweeps.tracking.limits import ENDING_S, LAST_WORDS_S, PATIENCE_S
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.opening import open_runs, settle
from qhn.sweeps.tracking.owning import Renewal, own
from qhn.sweeps.tracking.protocol import Message, decode, encode, error_to_json
from qhn.sweeps.tracking.runs import SweepRuns
from qhn.sweeps.tracking.writer import TrackingWriter

_log = logging.getLogger(__name__)
_TELL_EVERY_S = 0.2


class _Driver:
    """The pipe to the driver. Several threads write to it, so a lock keeps messages whole."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._told_at = 0.0

    def send(self, message: Message) -> None:
        with self._lock:
            try:
                self._stream.write(encode(message))
                self._stream.flush()
            except OSError:
                # The driver has died. The thread that reads from it notices that and acts.
                pass

    def tell_waiting(self, waiting: int) -> None:
        """Send the number of trials that wait, at most five times a second, and always at 0."""
        now = time.monotonic()
        if waiting == 0 or now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            self.send({"waiting": waiting})


@dataclass
class _Sweep:
    """The sweep that is written, how far its driver has heard of each trial, and its owner."""

    store: Store
    plan: Plan
    location: TrackingLocation
    known: dict[str, Known]
    renewal: Renewal | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.trials = {trial.trial_id: trial for trial in self.plan.trials}
        self.lock = self.store.sweep(self.plan.name).tracking_lock

    @classmethod
    def begin(cls, values: Message) -> _Sweep:
        database = None if values["database"] is None else Path(values["database"])
        return cls(
            open_store(values["store"]),
            make_plan(parse_spec(values["sweep"])),
            TrackingLocation(values["uri"], database, values["ours"]),
            _known(values["known"]),
        )

    def check(self) -> None:
        """Make sure that the writer of no other driver is known to write this sweep.

        Raises:
            OwnerError: if there is one.
        """
        if (lost_to := self.lock.lost_to()) is not None:
            raise OwnerError(
                f"one process at a time may write sweep {self.plan.name!r} to MLflow, but "
                f"{lost_to} has taken that over while this one was paused or could not reach the "
                "store; nothing is lost, since it writes every trial"
            )

    def read(self, trial: PlannedTrial) -> TrialRecord:
        self.check()
        known = self.known.get(trial.trial_id, BELIEVE_THE_STORE)
        return known.read(self.store, trial.trial_id)

    def open_runs(self) -> SweepRuns:
        return open_runs(self.location, self.plan, self.read, self._own)

    def _own(self, experiment: Experiment) -> None:
        self.renewal = own(experiment, self.location, self.store.sweep(self.plan.name))

    def release(self) -> None:
        """Let other stores write the sweep."""
        if self.renewal is not None:
            self.renewal.release()


def _known(values: Message) -> dict[str, Known]:
    return {trial_id: Known.from_json(trial_id, known) for trial_id, known in values.items()}


class _Server:
    """Does what the driver asks for.

    There are three threads. The main thread reads the driver's messages and never does anything
    slow, so that it notices the end of the driver at once. The second one does the calls, which
    take time, in the order in which they were asked for. The third one belongs to the
    `TrackingWriter` and writes trials.
    """

    def __init__(self, driver: _Driver, sweep: _Sweep) -> None:
        self._driver = driver
        self._sweep = sweep
        self._writer = TrackingWriter(sweep.open_runs, sweep.read, told=driver.tell_waiting)
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # Set by a drop that comes after a call: the call must stop early. Calls that come after the
        # drop get a new event.
        self._dropped = threading.Event()
        self._worker = threading.Thread(target=self._work, name="qhn-calls")
        self._worker.start()

    def listen(self, stream: BinaryIO) -> None:
        """Handle messages until the driver closes the pipe, either in order or because it died."""
        ended = False
        try:
            for line in stream:
                message = decode(line)
                ended = ended or "end" in message
                self._take(message)
        finally:
            # The next run of the sweep waits for our lock, so a tracking store that does not answer
            # must not keep this process alive, whatever the driver has said.
            _end_within(ENDING_S if ended else LAST_WORDS_S)
            if not ended:
                self._orphaned()
            self._calls.put(None)
            self._worker.join()
            # A lease would otherwise last until its term is over.
            self._sweep.lock.release()

    def _take(self, message: Message) -> None:
        known = _known(message.get("known", {}))
        if "update" in message:
            # If the message does not say how far a trial is known, the sweep cannot stop the trial
            # any more. From now on everything in the store is shown.
            for trial_id in message["update"]:
                self._sweep.known[trial_id] = known.get(trial_id, BELIEVE_THE_STORE)
            self._writer.update(self._trials(message["update"]))
        elif "known" in message:
            # The whole dictionary is replaced by one assignment, because the writer's thread may
            # read it at any moment.
            self._sweep.known = known
        elif "drop" in message:
            self._drop()
        elif "call" in message:
            call = getattr(self, f"_{message['name']}")
            work = partial(call, self._dropped.is_set, **message["arguments"])
            self._calls.put(partial(self._answer, message["call"], work))

    def _trials(self, trial_ids: list[str]) -> list[PlannedTrial]:
        return [self._sweep.trials[trial_id] for trial_id in trial_ids]

    def _orphaned(self) -> None:
        """Mark the runs that are open as killed, since the driver has died."""
        _log.warning("the driver has ended without a word; its open runs are marked as killed")
        self._drop()
        last = partial(self._close_sweep, self._dropped.is_set, "KILLED", {}, {})
        self._calls.put(partial(self._answer, 0, last))

    def _drop(self) -> None:
        """Stop what was asked for before. What is asked for from now on is done."""
        self._dropped.set()
        self._dropped = threading.Event()
        self._writer.drop()

    def _work(self) -> None:
        # The lock is held until the process ends. The lock of the driver is not enough, because
        # this process may outlive a driver that was killed, and the writer of the next driver must
        # wait until it has ended.
        lock = self._sweep.lock
        try:
            if not lock.acquire(PATIENCE_S, f"process {os.getpid()}"):
                raise TrackingError(
                    f"one process at a time may write sweep {self._sweep.plan.name!r} to MLflow, "
                    f"but {lock.holder() or 'another one'} of a former run still does; wait for "
                    "it, or end it with: kill PROCESS"
                )
            self._writer.start()
            self._writer.wait_until_ready()
        except Exception as error:  # noqa: BLE001 - The driver waits for an answer in any case.
            self._driver.send({"failed": error_to_json(_in_words(error))})
            # The driver will ask for nothing more. If it dies, `_orphaned` puts a last call into
            # the queue, which cannot be done without a tracking store and is thrown away here.
            self._sweep.release()
            while self._calls.get() is not None:
                pass
            return
        settle()
        self._driver.send({"ready": True})
        while (call := self._calls.get()) is not None:
            call()
        # After a drop, the writer's thread may still be at work on one trial.
        self._writer.close(0.0)
        self._sweep.release()

    def _answer(self, number: int, work: Callable[[], Any]) -> None:
        try:
            answer: Message = {"value": work()}
        except Exception as error:  # noqa: BLE001 - The driver waits for an answer in any case.
            answer = {"error": error_to_json(_in_words(error))}
        self._driver.send({"answer": number} | answer)

    def _finish(self, stopped: Callable[[], bool], trials: list[str], patience_s: float) -> int:
        if stopped():
            return len(trials)
        # Before this call the driver has sent what it knows of all trials.
        return self._writer.finish(self._trials(trials), patience_s)

    def _close_sweep(
        self,
        stopped: Callable[[], bool],
        status: str,
        artifacts: dict[str, str],
        tags: dict[str, str],
        note: str | None = None,
        patience_s: float = 0.0,
    ) -> None:
        self._sweep.check()
        # After `finish` the writer's thread has ended already. After a drop it may still be at
        # work on one trial.
        self._writer.close(0.0)
        self._writer.close_sweep(status, artifacts, tags, note, stopped, patience_s)


def _end_within(seconds: float) -> None:
    """End this process if it still runs after some seconds."""
    # Only `os._exit` ends it whatever its threads wait for.
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()


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
    # Messages travel on standard output. A library that prints would put its text between them, so
    # the pipe is moved to a new descriptor, and descriptor 1 now leads to the log, as standard
    # error does.
    driver = _Driver(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    first = sys.stdin.buffer.readline()
    if not first:
        return  # the driver died before it could say which sweep to write
    try:
        sweep = _Sweep.begin(decode(first)["begin"])
    except Exception as error:  # noqa: BLE001 - The driver waits for an answer in any case.
        driver.send({"failed": error_to_json(_in_words(error))})
        return
    _Server(driver, sweep).listen(sys.stdin.buffer)


if __name__ == "__main__":
    main()
