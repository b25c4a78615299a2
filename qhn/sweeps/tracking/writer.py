"""The thread that writes trials to MLflow, one after another, while the sweep goes on.

It runs in the writer's process (`qhn.sweeps.tracking.process`). The driver reaches it through
`qhn.sweeps.tracking.client`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from qhn.core.errors import OwnerError, QhnError, TrackingError
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import TrialRecord
from qhn.sweeps.tracking.runs import SweepRuns

_log = logging.getLogger(__name__)
_LONGEST_WAIT_S = 30.0
# At the end of a sweep somebody waits, so that no long pause may follow the end of an outage.
_LAST_WAITS_S = 3.0
_LOOK_EVERY_S = 0.2
# Each pass reads all runs of the sweep from MLflow again.
_MOST_PASSES = 3


class TrackingWriter:
    """Copies trials from the store to MLflow in the background, in the order of the requests.

    A trial that is asked for several times while it waits is written once. If the tracking store
    does not answer, the writer waits and tries again. Nothing can be lost meanwhile, because
    everything that is to be written is in qhn's own store.

    Args:
        connect: opens the runs of the sweep. It is called in the writer's thread.
        read: returns what the store has of a trial. It is called in the writer's thread.
        first_wait_s: seconds to wait after a first failure. The wait doubles with each further
            failure, up to 30 s.
        told: called in the writer's thread after each trial, with the number of trials that wait.
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
        # Trials that wait, by id, in the order of the requests. `_changed` protects this and all
        # that follows, up to `_give_up_at`.
        self._dirty: dict[str, PlannedTrial] = {}
        self._changed = threading.Condition()
        self._lost: set[str] = set()
        # The trials that have ended, as soon as they are known. They are looked through when no
        # trial waits any more, and then all of them are unchecked no more.
        self._ended: dict[str, PlannedTrial] = {}
        self._unchecked: set[str] = set()
        self._passes = 0
        self._closing = False
        self._give_up_at = float("inf")
        self._ready = threading.Event()
        self._failure: QhnError | None = None
        self._runs: SweepRuns | None = None
        self._thread = threading.Thread(target=self._work, name="qhn-tracking", daemon=True)

    def start(self) -> None:
        """Begin to connect, and return at once."""
        self._thread.start()

    def wait_until_ready(self) -> SweepRuns:
        """Wait for the connection, and return the runs of the sweep.

        Raises:
            TrackingError: if the tracking store cannot be used.
        """
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        assert self._runs is not None
        return self._runs

    def update(self, trials: Iterable[PlannedTrial]) -> None:
        """Ask for trials to be brought up to date, and return at once."""
        with self._changed:
            if self._closing:
                # A drop may come between the two steps of `finish`. The thread must not begin again
                # with all the trials that were dropped.
                self._lost.update(trial.trial_id for trial in trials)
                return
            for trial in trials:
                # A trial that waits already keeps its place: what is written is read from the
                # store when its turn comes.
                self._dirty.setdefault(trial.trial_id, trial)
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Number of trials that wait to be written."""
        with self._changed:
            return len(self._dirty)

    def close(self, patience_s: float) -> int:
        """Write the trials that wait, and end the thread.

        Args:
            patience_s: while requests fail, go on trying for this many seconds.

        Returns:
            The number of trials that could not be written.
        """
        with self._changed:
            # If another thread has called `drop` before, the thread must not go on trying.
            if not self._closing:
                self._closing = True
                self._give_up_at = time.monotonic() + patience_s
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        return len(self._lost.union(self._dirty, self._unchecked))

    def drop(self) -> None:
        """Forget the trials that wait, and let the thread end. The store keeps their results.

        This returns at once. A `close` that is under way in another thread stops trying.
        """
        with self._changed:
            self._closing = True
            self._give_up_at = time.monotonic()
            self._lost.update(self._dirty)
            self._dirty.clear()
            self._passes = _MOST_PASSES
            self._changed.notify()

    def finish(self, trials: Iterable[PlannedTrial], patience_s: float) -> int:
        """Write what MLflow lacks of trials that have ended, and end the thread.

        Args:
            trials: the trials that have ended, in this run of the sweep or before.
            patience_s: while requests fail, go on trying for this many seconds.

        Returns:
            The number of trials that could not be written.

        Raises:
            TrackingError: if the tracking store could not be used from the beginning.
        """
        ended = {trial.trial_id: trial for trial in trials}
        missing = self.wait_until_ready().unfinished(set(ended))
        with self._changed:
            self._ended, self._unchecked = ended, missing
        return self.close(patience_s)

    def close_sweep(
        self,
        status: str,
        artifacts: Mapping[str, str],
        tags: Mapping[str, str],
        note: str | None = None,
        stopped: Callable[[], bool] = lambda: False,
        patience_s: float = 0.0,
    ) -> None:
        """Write the runs of groups and of the sweep, and leave no other run open.

        It must be called after the thread has ended. The other arguments are those of
        `SweepRuns.close`.

        Args:
            stopped: asked before each request. If it returns True, what is left is not written.
            patience_s: while requests fail, go on trying for this many seconds.

        Raises:
            TrackingError: if the tracking store cannot be used, or the work was stopped.
        """
        runs = self.wait_until_ready()
        give_up_at = time.monotonic() + patience_s
        while True:
            try:
                with runs.stopping(stopped):
                    # This is needed even if all trials are over: an earlier version of the sweep
                    # file may have had other trials, whose runs were left open when its driver was
                    # killed.
                    runs.interrupt()
                    runs.close(status, artifacts, tags, note)
                return
            except OwnerError:
                raise
            except TrackingError as error:
                again_at = time.monotonic() + _LAST_WAITS_S
                if stopped() or again_at > give_up_at:
                    raise
                _log.warning("%s; trying again in %.0f s", error, _LAST_WAITS_S)
                while time.monotonic() < again_at and not stopped():
                    time.sleep(_LOOK_EVERY_S)

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
        while True:
            trial = self._next()
            try:
                if trial is None:
                    if not self._look_for_missing(self._runs):
                        return
                    continue
                self._runs.project(trial, self._read(trial))
                self._lost.discard(trial.trial_id)
                self._told(self.waiting)
                wait = self._first_wait_s
            except OwnerError as error:
                _log.warning("%s", error)
                self._put_back(trial)
                self.drop()
                return
            except TrackingError as error:
                _log.warning("%s; trying again in %.0f s", error, wait)
                if not self._put_back_and_wait(trial, wait):
                    return
                wait = min(2 * wait, _LONGEST_WAIT_S)
            except Exception:  # noqa: BLE001 - One trial must not keep the others from being shown.
                if trial is None:
                    _log.exception("the runs in MLflow could not be looked through")
                    return
                _log.exception("trial %s could not be written to MLflow", trial.trial_id)
                self._lost.add(trial.trial_id)

    def _look_for_missing(self, runs: SweepRuns) -> bool:
        """Let the ended trials wait of which MLflow lacks something, and return whether any do.

        After failed requests this is done again: one that seemed to fail may have had its effect
        later, for example if the server waited for its database.
        """
        with self._changed:
            ended = self._ended
            if not ended or self._passes == _MOST_PASSES:
                return False
        if self._passes and not runs.doubtful:
            return False
        runs.settle_doubts()
        missing = runs.unfinished(set(ended))
        with self._changed:
            if self._passes < _MOST_PASSES:  # else there was a drop meanwhile
                self._passes += 1
                self._unchecked.clear()
                self._dirty |= {i: trial for i, trial in ended.items() if i in missing}
        self._told(self.waiting)
        return bool(missing)

    def _next(self) -> PlannedTrial | None:
        with self._changed:
            while not self._dirty:
                if self._closing:
                    return None
                self._changed.wait()
            return self._dirty.pop(next(iter(self._dirty)))

    def _put_back(self, trial: PlannedTrial | None) -> None:
        if trial is not None:
            with self._changed:
                self._dirty.setdefault(trial.trial_id, trial)

    def _put_back_and_wait(self, trial: PlannedTrial | None, wait: float) -> bool:
        """Put a trial that could not be written back, wait, and return whether to go on."""
        self._put_back(trial)
        with self._changed:
            # Each new request notifies the condition, but only a call of `close` or `drop` may cut
            # the wait short.
            if not self._closing:
                self._changed.wait_for(lambda: self._closing, timeout=wait)
            else:
                left = self._give_up_at - time.monotonic()
                self._changed.wait(max(0.0, min(wait, _LAST_WAITS_S, left)))
            return time.monotonic() < self._give_up_at
