"""The driver's side of the writer's process: starts it, sends requests, and replaces it once."""

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
# How often a writer that died is started again. What has killed it twice will kill it a third time.
_RESTARTS = 1


class WriterProcess:
    """Copies trials from the store to MLflow, in a process of its own.

    If the process dies it is started again, once. The new process finds in MLflow what was written,
    and at the end of the sweep the driver asks for the rest. If it dies again, the sweep goes on
    without MLflow: the store has every result, and the next run of the sweep writes them.

    Args:
        location: the tracking store.
        store: where trials are kept.
        sweep: text of the sweep file.
        knowledge: how far the sweep has heard of its trials. It is read at each request.
    """

    def __init__(
        self, location: TrackingLocation, store: Store, sweep: str, knowledge: Knowledge
    ) -> None:
        self._location = location
        self._store = store
        self._sweep = sweep
        self._knowledge = knowledge
        self._changed = threading.Condition()
        # All that follows is shared with the thread that receives messages, and is changed only
        # while the condition is held.
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
        """The id of the process that writes now; None if there is none."""
        with self._changed:
            return None if self._process is None else self._process.process_id

    def start(self) -> None:
        """Start the process, which begins to connect, and return at once.

        Raises:
            TrackingError: if the process cannot be started.
        """
        with self._changed:
            self._begin()

    def wait_until_ready(self) -> None:
        """Wait for the connection.

        Raises:
            TrackingError: if the tracking store could not be used from the beginning. What goes
                wrong after a first success does not end a sweep, and is not raised here.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._failure is not None)
            if self._failure is not None and not self._ready:
                raise self._failure

    def update(self, trials: Iterable[PlannedTrial]) -> None:
        """Ask for trials to be brought up to date, and return at once."""
        ids = [trial.trial_id for trial in trials]
        # A trial that the message does not mention is shown as the store has it.
        known = {i: k for i in ids if (k := self._knowledge.of(i)) != BELIEVE_THE_STORE}
        self._say({"update": ids, "known": _to_json(known)})

    @property
    def waiting(self) -> int:
        """Number of trials that waited to be written when the process last sent that number."""
        return self._waiting

    def finish(self, trials: Iterable[PlannedTrial], patience_s: float) -> int:
        """Write what MLflow lacks of trials that have ended. After this call, no `update` works.

        Args:
            trials: the trials that have ended, in this run of the sweep or before.
            patience_s: while requests fail, go on trying for this many seconds.

        Returns:
            The number of trials that could not be written. If the process has died too often,
            nobody knows that number, and the number of all trials is returned.
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
        patience_s: float = 0.0,
    ) -> None:
        """Write the runs of groups and of the sweep, and leave no other run open.

        Args:
            status: the status of the sweep's run: ``FINISHED``, ``FAILED`` or ``KILLED``.
            artifacts: texts to keep with the sweep's run, by file name.
            tags: tags of the sweep's run.
            note: the sweep's results as Markdown. None if the sweep failed as a whole; then the
                runs of groups and the description stay as they are.
            patience_s: while requests fail, go on trying for this many seconds.

        Raises:
            TrackingError: if the tracking store cannot be used.
        """
        arguments = {"status": status, "artifacts": dict(artifacts), "tags": dict(tags)}
        self._call("close_sweep", **arguments, note=note, patience_s=patience_s)

    def abandon(self, status: str) -> None:
        """Leave no run open in MLflow when a sweep cannot go on. Without a process, do nothing.

        Args:
            status: the status of the sweep's run: ``FAILED`` or ``KILLED``.
        """
        if self._process is None or self._failure is not None:
            return
        try:
            # A call that is under way stops after its present request.
            self._say({"drop": True})
            self.close_sweep(status, {}, {})
        except TrackingError as error:
            _log.warning("%s", error)
        except BaseException:
            # A second Ctrl-C: the user does not want to wait. Runs that stay open are mended by the
            # next run of the sweep.
            process = self._process
            if process is not None:  # It may have died, with no other one in its place.
                process.kill()
            raise

    def end(self) -> None:
        """Tell the process to end, and wait for that. Without a process, do nothing."""
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
        except (OSError, RuntimeError) as error:
            # `Thread.start` raises a RuntimeError if the system allows no further thread.
            why = error.strerror if isinstance(error, OSError) else None
            raise TrackingError(
                "runs are written to MLflow by a process of their own, but it cannot be started: "
                f"{why or error}; free memory, or end other processes"
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
                # Without an answer the process has died. The call is made again to the new process,
                # which is harmless because every call can be repeated.
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
        """Start a new process in place of one that has died, unless that was done too often."""
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
            # This runs in the receiving thread, where nobody could catch the error. The failure is
            # raised by the next call that waits for an answer.
            _log.warning("%s", error)
            self._failure = error


def _to_json(known: Mapping[str, Known]) -> Message:
    return {trial_id: value.to_json() for trial_id, value in known.items()}
