"""The driver's end of the process that writes to MLflow: starts it, asks, and minds its death."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from qhn.core.errors import QhnError, TrackingError
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import Store
from qhn.sweeps.tracking.child import Child
from qhn.sweeps.tracking.knowledge import BELIEVE_THE_STORE, Knowledge, Known
from qhn.sweeps.tracking.location import TrackingLocation
from qhn.sweeps.tracking.protocol import Message, error_from_json

_log = logging.getLogger(__name__)
#: How often a writer that died is started again. What kills it twice will kill it a third time.
_RESTARTS = 1


class WriterProcess:
    """Projects trials from the store to MLflow, in a process of its own.

    A process that dies is started again, once: it finds in MLflow what was written, and the end
    of the sweep asks for the rest. One that dies again leaves runs unwritten, and the sweep goes
    on: the store has everything, and the next run of the sweep writes it.

    Args:
        location: the tracking store.
        store: where trials are kept.
        sweep: text of the sweep file.
        knowledge: how far the sweep knows its trials; looked at when they are asked for.
    """

    def __init__(
        self, location: TrackingLocation, store: Store, sweep: str, knowledge: Knowledge
    ) -> None:
        self._location = location
        self._store = store
        self._sweep = sweep
        self._knowledge = knowledge
        self._changed = threading.Condition()
        # What follows belongs to the condition.
        self._process: Child | None = None
        self._restarts = 0
        self._ready = False
        self._failure: QhnError | None = None
        self._ending = False
        self._waiting = 0
        self._calls = 0
        self._answers: dict[int, Message] = {}

    @property
    def process_id(self) -> int | None:
        """Of the process that writes now, if there is one."""
        with self._changed:
            return None if self._process is None else self._process.process_id

    def start(self) -> None:
        """Begin to connect, without waiting.

        Raises:
            TrackingError: if no process can be started.
        """
        with self._changed:
            self._begin()

    def wait_until_ready(self) -> None:
        """Wait for the connection.

        Raises:
            TrackingError: if the tracking store could not be used from the first; what goes wrong
                later is no reason to end a sweep.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._failure is not None)
            if self._failure is not None and not self._ready:
                raise self._failure

    def update(self, trials: Iterable[PlannedTrial]) -> None:
        """Ask for trials to be brought up to date; this returns at once."""
        ids = [trial.trial_id for trial in trials]
        known = {i: k for i in ids if (k := self._knowledge.of(i)) != BELIEVE_THE_STORE}
        self._say({"update": ids, "known": _to_json(known)})

    @property
    def waiting(self) -> int:
        """Number of trials that MLflow did not have when the process last told."""
        return self._waiting

    def finish(self, trials: Iterable[PlannedTrial], patience_s: float) -> int:
        """Write what MLflow lacks of trials that have ended; nothing can be asked for afterwards.

        Args:
            trials: those that have ended, in this run or before.
            patience_s: how many seconds to go on trying after this call while requests fail.

        Returns:
            Number of trials that could not be written; all of them where the process has died too
            often, since nobody knows then.
        """
        ids = [trial.trial_id for trial in trials]
        self._say({"known": _to_json(self._knowledge.all())})
        try:
            return int(self._call("finish", trials=ids, patience_s=patience_s))
        except TrackingError as error:
            _log.warning("%s", error)
            return len(ids)

    def close_sweep(
        self,
        status: str,
        artifacts: Mapping[str, str],
        tags: Mapping[str, str],
        note: str | None = None,
    ) -> None:
        """Write the sweep's own run and what is left of groups, and leave no other run open.

        Args:
            status: of the sweep's run, in MLflow's words.
            artifacts: texts beside the run, by name.
            tags: of the run.
            note: what the sweep came to, in Markdown; None for a sweep that has to be given up,
                whose groups and description stay as they are.

        Raises:
            TrackingError: if the tracking store cannot be used.
        """
        arguments = {"status": status, "artifacts": dict(artifacts), "tags": dict(tags)}
        self._call("close_sweep", **arguments, note=note)

    def abandon(self, status: str) -> None:
        """Leave no run open in MLflow where a sweep cannot go on; nothing where there is none."""
        if self._process is None or self._failure is not None:
            return
        self._say({"drop": True})
        try:
            self.close_sweep(status, {}, {})
        except TrackingError as error:
            _log.warning("%s", error)
        except BaseException:
            # Stopped a second time: whoever does so waits for nothing, and MLflow can be mended.
            self._process.kill()
            raise

    def end(self) -> None:
        """End the process in order; nothing happens where there is none."""
        with self._changed:
            self._ending = True
            process = self._process
        if process is not None:
            process.say({"end": True})
            process.end()

    def _begin(self) -> None:
        database = self._location.database
        try:
            self._process = Child(self._receive, self._has_ended)
        except OSError as error:
            raise TrackingError(
                "runs are written to MLflow by a process of their own, but it cannot be started: "
                f"{error.strerror or error}; free memory, or end other processes"
            ) from error
        self._process.say(
            {
                "begin": {
                    "store": self._store.uri,
                    "uri": self._location.uri,
                    "database": None if database is None else str(database),
                    "ours": self._location.ours,
                    "sweep": self._sweep,
                    "known": _to_json(self._knowledge.all()),
                }
            }
        )

    def _say(self, message: Message) -> None:
        with self._changed:
            if self._process is not None:
                self._process.say(message)

    def _call(self, name: str, **arguments: Any) -> Any:
        with self._changed:
            while self._failure is None:
                assert self._process is not None, "a writer must be started first"
                self._calls += 1
                number, process = self._calls, self._process
                call = {"call": number, "name": name, "arguments": arguments}
                process.say(call)
                self._changed.wait_for(partial(self._is_settled, number, process))
                answer = self._answers.pop(number, None)
                # Without an answer the process has died; every call may be repeated.
                if answer is None:
                    continue
                if "error" in answer:
                    raise error_from_json(answer["error"])
                return answer["value"]
            raise self._failure

    def _is_settled(self, number: int, process: Child) -> bool:
        failed = self._failure is not None
        return number in self._answers or self._process is not process or failed

    def _receive(self, message: Message) -> None:
        with self._changed:
            if "ready" in message:
                self._ready = True
            elif "failed" in message:
                self._failure = error_from_json(message["failed"])
            elif "waiting" in message:
                self._waiting = int(message["waiting"])
            elif "answer" in message:
                self._answers[message["answer"]] = message
            self._changed.notify_all()

    def _has_ended(self, process: Child, code: int) -> None:
        with self._changed:
            if not self._ending and self._failure is None:
                self._replace(code)
            self._changed.notify_all()

    def _replace(self, code: int) -> None:
        """Start another process for one that has died, unless that was another one already."""
        self._process = None
        try:
            if self._restarts == _RESTARTS:
                raise TrackingError(
                    "runs must be written to MLflow, but the process that writes them has ended "
                    f"{_RESTARTS + 1} times, now with exit code {code} (-9: killed, perhaps for "
                    "want of memory); the store has every result: run the same command again"
                )
            _log.warning("the process that writes to MLflow has ended (exit code %d)", code)
            self._restarts += 1
            self._begin()
        except TrackingError as error:
            _log.warning("%s", error)
            self._failure = error


def _to_json(known: Mapping[str, Known]) -> Message:
    return {trial_id: value.to_json() for trial_id, value in known.items()}
