"""The only writer to MLflow: a thread that keeps it up to date and never holds training back.

It runs in a process of its own (`qhn.sweeps.tracking.process`), which the driver talks to through
`qhn.sweeps.tracking.client`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from qhn.core.errors import QhnError, TrackingError
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.runs import SweepRuns

_log = logging.getLogger(__name__)
_LONGEST_WAIT_S = 30.0


class TrackingWriter:
    """Projects trials from the store to MLflow, in the background, in the order of the requests.

    A trial that is asked for again while it waits is written once. When the tracking store does
    not answer, the writer waits and goes on: the store has everything.

    Args:
        connect: makes the sweep's runs; called in the writer's thread.
        read: gives what the store knows about a trial of this sweep; called in the writer's
            thread.
        first_wait_s: the wait after a first failure, in seconds; it doubles with each further
            one, up to 30 s.
        told: called in the writer's thread after each trial, with the number of those that wait.
    """

    def __init__(
        self,
        connect: Callable[[], SweepRuns],
        read: Callable[[PlannedTrial], TrialRecord],
        first_wait_s: float = 1.0,
        told: Callable[[int], None] = lambda waiting: None,
    ) -> None:
        self._first_wait_s = first_wait_s
        self._told = told
        self._connect = connect
        self._read = read
        self._dirty: dict[str, PlannedTrial] = {}
        self._changed = threading.Condition()
        self._lost: set[str] = set()
        self._closing = False
        self._give_up_at = float("inf")
        self._ready = threading.Event()
        self._failure: QhnError | None = None
        self._runs: SweepRuns | None = None
        self._thread = threading.Thread(target=self._work, name="qhn-tracking", daemon=True)

    def start(self) -> None:
        """Begin to connect, without waiting."""
        self._thread.start()

    def wait_until_ready(self) -> SweepRuns:
        """Wait for the connection.

        Raises:
            TrackingError: if the tracking store cannot be used.
        """
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        assert self._runs is not None
        return self._runs

    def update(self, trials: Iterable[PlannedTrial]) -> None:
        """Ask for trials to be brought up to date; this returns at once."""
        with self._changed:
            for trial in trials:
                self._dirty.setdefault(trial.trial_id, trial)
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Number of trials that MLflow does not have in their newest state."""
        with self._changed:
            return len(self._dirty)

    def close(self, patience_s: float) -> int:
        """Write what is left and end the thread.

        Args:
            patience_s: how many seconds to go on trying after this call while requests fail.

        Returns:
            Number of trials that could not be written.
        """
        with self._changed:
            # A drop may have come before, from another thread: it has no patience, and that stands.
            if not self._closing:
                self._closing = True
                self._give_up_at = time.monotonic() + patience_s
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        return len(self._lost.union(self._dirty))

    def drop(self) -> None:
        """Leave what waits unwritten, since the store has it, and let the thread end.

        This returns at once, and also ends the patience of a `close` that another thread is in.
        """
        with self._changed:
            self._closing = True
            self._give_up_at = time.monotonic()
            self._lost.update(self._dirty)
            self._dirty.clear()
            self._changed.notify()

    def finish(self, trials: Iterable[PlannedTrial], patience_s: float) -> int:
        """Write what MLflow lacks of trials that have ended, and end the thread.

        Args:
            trials: those that have ended, in this run or before.
            patience_s: as for `close`.

        Returns:
            Number of trials that could not be written.

        Raises:
            TrackingError: if the tracking store could not be used from the first.
        """
        ended = {trial.trial_id: trial for trial in trials}
        missing = self.wait_until_ready().unfinished(set(ended))
        self.update(trial for trial_id, trial in ended.items() if trial_id in missing)
        self._told(self.waiting)
        return self.close(patience_s)

    def close_sweep(
        self,
        status: str,
        artifacts: Mapping[str, str],
        tags: Mapping[str, str],
        note: str | None = None,
    ) -> None:
        """Write the sweep's own run and what is left of groups, and leave no other run open.

        The thread has ended by now. The arguments are those of `SweepRuns.close`.

        Raises:
            TrackingError: if the tracking store cannot be used.
        """
        runs = self.wait_until_ready()
        # Also where all is over: a run may be left of a driver that was killed, whose file asked
        # for other trials.
        runs.interrupt()
        runs.close(status, artifacts, tags, note)

    def _work(self) -> None:
        try:
            self._runs = self._connect()
        except QhnError as error:
            self._failure = error
            return
        except Exception as error:  # noqa: BLE001 - The driver waits for an answer in any case.
            _log.exception("connecting to the tracking store failed")
            self._failure = TrackingError(
                "the tracking store must be usable, but connecting to it failed in a way that qhn "
                f"does not know ({type(error).__name__}: {error}); the log has the details"
            )
            return
        finally:
            self._ready.set()
        wait = self._first_wait_s
        while (trial := self._next()) is not None:
            try:
                self._runs.project(trial, self._read(trial))
                self._lost.discard(trial.trial_id)
                self._told(self.waiting)
                wait = self._first_wait_s
            except TrackingError as error:
                _log.warning("%s; trying again in %.0f s", error, wait)
                if not self._put_back_and_wait(trial, wait):
                    return
                wait = min(2 * wait, _LONGEST_WAIT_S)
            except Exception:  # noqa: BLE001 - One trial must not keep the others from being shown.
                _log.exception("trial %s could not be written to MLflow", trial.trial_id)
                self._lost.add(trial.trial_id)

    def _next(self) -> PlannedTrial | None:
        with self._changed:
            while not self._dirty:
                if self._closing:
                    return None
                self._changed.wait()
            return self._dirty.pop(next(iter(self._dirty)))

    def _put_back_and_wait(self, trial: PlannedTrial, wait: float) -> bool:
        """Keep a trial that could not be written; whether to go on after the wait."""
        with self._changed:
            self._dirty.setdefault(trial.trial_id, trial)
            if not self._closing:
                self._changed.wait_for(lambda: self._closing, timeout=wait)
            else:
                self._changed.wait(max(0.0, min(wait, self._give_up_at - time.monotonic())))
            return time.monotonic() < self._give_up_at
