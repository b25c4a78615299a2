"""The part of the store for one sweep.

::

    sweeps/<name>/sweep.yaml         the sweep file as it was last run
                  lock               locked by the driver that runs the sweep
                  tracking/lock      locked by the process that writes the sweep to MLflow
                  progress.json      the trials that run now
                  lanes.json         how its lanes stand, and trials that wait for a budget
                  claims.json        tokens of the claims in MLflow that its writers have made
                  origin.json        whether an older version has run the sweep before
                  stops/<rule>/<trial id>.json
                                     results of trials that this sweep stopped early by this rule
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Self

from qhn.core.errors import (
    DamagedError,
    FencedError,
    InvalidValueError,
    NotFoundError,
    StoreError,
)
from qhn.sweeps.config.trial import digest
from qhn.sweeps.store.backend import Backend, Lock
from qhn.sweeps.store.formats import FORMAT, fingerprint, parse_object
from qhn.sweeps.store.former import StoreFormat
from qhn.sweeps.store.ownership import ownership
from qhn.sweeps.store.results import TrialResult, read_result

#: The content of a rule of early stopping, as JSON values.
Rule = Mapping[str, object]

# How long a driver waits for the lock. A process that only checks the lock has it for an instant,
# and the lock of a killed driver is released within moments. A lease is waited for longer, if
# nobody renews it.
_PATIENCE_S = 2.0
_ORIGIN, _CLAIMS = "origin.json", "claims.json"
_MOST_CLAIMS = 50
# What the holder of the lock writes into it, and how that is read again.
_NOTE = "process {process} on {host}"
_NOTED = re.compile(r"process (?P<process>\d{1,10}) on (?P<host>\S+)")


@dataclass(frozen=True)
class Runner:
    """The process that runs a sweep, as it has named itself.

    Attributes:
        process: its process id.
        host: the name of the machine on which that id means something.
    """

    process: int
    host: str


class SweepLock:
    """The lock that allows a driver to run a sweep. It is released when that process ends.

    Raises:
        FencedError: from the end of its context and from `check`, if another driver has taken the
            sweep over meanwhile.
    """

    def __init__(self, lock: Lock, sweep: str) -> None:
        self._lock = lock
        self._sweep = sweep

    def __enter__(self) -> Self:
        note = _NOTE.format(process=os.getpid(), host=socket.gethostname())
        if not self._lock.acquire(_PATIENCE_S, note):
            raise StoreError(
                f"one driver at a time may run sweep {self._sweep!r}, but "
                f"{self._lock.holder() or 'another process'} is running it; wait for it, or "
                f"end it there with: qhn sweep stop {self._sweep}"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        lost_to = self._lock.lost_to()
        self._lock.release()
        if lost_to is not None and isinstance(error, FencedError):
            raise self._taken_over(lost_to) from error

    def check(self) -> None:
        """Make sure that no other driver is known to have taken the sweep over."""
        if (lost_to := self._lock.lost_to()) is not None:
            raise self._taken_over(lost_to)

    def _taken_over(self, lost_to: str) -> FencedError:
        return FencedError(
            f"one driver at a time may run sweep {self._sweep!r}, but {lost_to} has taken it over "
            "while this one was paused or could not reach the store; nothing is lost, since that "
            f"driver goes on with every trial: qhn sweep status {self._sweep}"
        )

    def holder(self) -> str | None:
        """The process that runs the sweep now, in words, or None."""
        return self._lock.holder()

    def runner(self) -> Runner | None:
        """The process that runs the sweep now; None if there is none, or it has not said who it is.

        The note of a driver that was killed stays until the next one writes its own, so that for a
        moment this may be a process that is no more: whoever wants to signal it looks twice.
        """
        found = _NOTED.fullmatch(self._lock.holder() or "")
        return None if found is None else Runner(int(found["process"]), found["host"])


class SweepStore:
    """Keeps the file of a sweep, its lock, the trials that it stopped early and those that run now.

    Raises:
        StoreError: from every method, if the store cannot be used.
    """

    def __init__(self, backend: Backend, store_format: StoreFormat, name: str) -> None:
        self._backend = backend
        self._format = store_format
        self._folder = f"sweeps/{name}"
        self.name = name
        self.lock = SweepLock(backend.lock(self._folder), name)
        # Not the driver's: its writer may outlive a driver that was killed, for seconds.
        self.tracking_lock = backend.lock(f"{self._folder}/tracking")

    @property
    def shown_store(self) -> str:
        """The address of the store, for messages."""
        return self._backend.shown

    @property
    def shown_file(self) -> str:
        """The path of the sweep file, for messages."""
        return f"{self._backend.shown}/{self._folder}/sweep.yaml"

    def save_file(self, text: str) -> None:
        """Write the sweep file, which is needed to resume, show and extend the sweep."""
        self._format.mark()
        if self._format.former() and self._backend.get(f"{self._folder}/{_ORIGIN}") is None:
            # This is written before the file: only a file that is there already shows that an older
            # version has run the sweep.
            origin = json.dumps({"format": FORMAT, "ran_before": self.exists()})
            self._backend.put(f"{self._folder}/{_ORIGIN}", origin.encode())
        # From here on no deletion of another sweep takes a trial that this file asks for.
        with ownership(self._backend):
            self._backend.put(f"{self._folder}/sweep.yaml", text.encode())

    def exists(self) -> bool:
        """Whether the sweep was ever run with this store."""
        return self._backend.get(f"{self._folder}/sweep.yaml") is not None

    def read_file(self) -> str:
        """The text of the sweep file as it was last run.

        Raises:
            NotFoundError: if no sweep with this name was ever run.
            DamagedError: if the file cannot be read.
            StoreError: if the file is not UTF-8 text.
        """
        key = f"{self._folder}/sweep.yaml"
        content = self._backend.get(key)
        if content is None:
            raise NotFoundError(
                f"no sweep named {self.name!r} is in the store {self._backend.shown}"
                f"{self._did_you_mean()}; `qhn sweep list` shows those that are "
                "(another store: --store)"
            )
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise StoreError(
                f"the sweep file {self.shown_file} must be UTF-8 text, but {error}; "
                "run the sweep from its own file: qhn sweep run FILE"
            ) from None

    def _did_you_mean(self) -> str:
        by_lower = {name.lower(): name for name in sweep_names(self._backend)}
        near = get_close_matches(self.name.lower(), by_lower, n=1)
        return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""

    def save_progress(self, running: Iterable[str]) -> None:
        """Write which trials run now. This counts only as long as the lock is held."""
        content = json.dumps(sorted(running)).encode()
        # It need not be durable: after a power cut nobody holds the lock.
        self._backend.put(f"{self._folder}/progress.json", content, durable=False)

    def running(self) -> list[str]:
        """The ids of the trials that run now; none if no driver holds the lock."""
        if self.lock.holder() is None:
            return []
        try:
            content = self._backend.get(f"{self._folder}/progress.json")
            return [] if content is None else [str(trial) for trial in json.loads(content)]
        except (DamagedError, ValueError, TypeError):
            # The driver writes the file again within moments, so damage is not worth an error.
            return []

    def save_lanes(self, content: Mapping[str, Any], *, durable: bool = False) -> None:
        """Write how the lanes of the sweep stand, and which of its trials wait for a budget.

        Args:
            content: as `qhn.sweeps.driver.lane_board.LaneBoard.content` gives it.
            durable: whether it must outlive a power cut: at the end of a run.
        """
        text = json.dumps({"format": FORMAT, **content}, indent=1)
        self._backend.put(f"{self._folder}/lanes.json", text.encode(), durable=durable)

    def lanes(self) -> dict[str, Any]:
        """What `save_lanes` has written last; empty if it has not, or if that cannot be read."""
        try:
            content = self._backend.get(f"{self._folder}/lanes.json")
            return {} if content is None else parse_object(content)
        except (DamagedError, InvalidValueError):
            # The next run writes it again. What was paid for is in the ledger.
            return {}

    def claim_tokens(self) -> list[str]:
        """The tokens that `save_claim_tokens` has written last; none if they cannot be read."""
        try:
            content = self._backend.get(f"{self._folder}/{_CLAIMS}")
            return [] if content is None else [str(token) for token in json.loads(content)]
        except (DamagedError, ValueError, TypeError):
            # Without them the claim of a former writer lapses after a minute.
            return []

    def save_claim_tokens(self, tokens: Sequence[str]) -> None:
        """Remember the claims that this sweep's writers have made in MLflow.

        The next writer, which has the lock `tracking_lock`, knows from them whose claims count no
        more.

        Args:
            tokens: the tokens, the latest one last. Only the last 50 are kept.
        """
        content = json.dumps([*tokens][-_MOST_CLAIMS:]).encode()
        self._backend.put(f"{self._folder}/{_CLAIMS}", content)

    def save_stop(self, rule: Rule, result: TrialResult) -> None:
        """Write the result of a trial that this sweep stopped early.

        Args:
            rule: the content of the rule that stopped it.
            result: the result of the trial at its last report.

        Raises:
            InvalidValueError: if the status of the result is not ``stopped``.
        """
        if result.status != "stopped":
            raise InvalidValueError(
                f"a stop must have the status 'stopped', but got {result.status!r}; "
                "keep a trial that finished with Store.save_result"
            )
        self._format.mark()
        key = f"{self._stops(rule)}{result.trial_id}.json"
        self._backend.put(key, result.to_json().encode())

    def stops(self, rule: Rule) -> dict[str, TrialResult]:
        """The results of trials that were stopped early by this rule, by trial id.

        If an older version has run the sweep, they include all trials of the store that this
        version stopped by the same rule, even in other sweeps. Files that cannot be read are left
        out; see `damaged_stops`.
        """
        return self._read_stops(rule)[0]

    def damaged_stops(self, rule: Rule) -> list[DamagedError]:
        """The errors of results of stopped trials, by this rule, that cannot be read."""
        return self._read_stops(rule)[1]

    def stops_of(self, trial_id: str) -> list[TrialResult]:
        """Where this sweep stopped one trial early, by the rule of now or an earlier one."""
        keys = self._backend.list(f"{self._folder}/stops/")
        found = self._backend.get_many(k for k in keys if k.endswith(f"/{trial_id}.json"))
        stops = []
        for key, content in found.items():
            # What cannot be read is no stop; the sweep's own next run sets it aside.
            with suppress(DamagedError, InvalidValueError):
                if isinstance(content, DamagedError):
                    raise content
                end = read_result(content, trial_id, key)
                if isinstance(end, TrialResult) and end.status == "stopped":
                    stops.append(end)
        return stops

    def _stops(self, rule: Rule) -> str:
        return f"{self._folder}/stops/{digest(rule)}/"

    def _ran_before(self) -> bool:
        """Whether an old version has run this sweep, which stored stopped trials among the results.

        Only such a sweep may use these results. A sweep that was begun later stops its own trials.
        """
        content = self._backend.get(f"{self._folder}/{_ORIGIN}")
        if content is None:
            # This version has not run the sweep, so a sweep file is that of an older version.
            return self.exists()
        try:
            return parse_object(content).get("ran_before") is True
        except InvalidValueError:
            return False

    def _read_stops(self, rule: Rule) -> tuple[dict[str, TrialResult], list[DamagedError]]:
        owners: dict[str, tuple[str, str]] = {}
        for former in self._format.former() if self._ran_before() else ():
            if former.rule == digest(rule):
                owners[f"{former.former_id}/result.json"] = (former.former_id, former.trial_id)
        for key in self._backend.list(self._stops(rule)):
            trial_id = key.rpartition("/")[2].removesuffix(".json")
            if key.endswith(".json"):
                owners[key] = (trial_id, trial_id)
        stops: dict[str, TrialResult] = {}
        damaged: list[DamagedError] = []
        found = self._backend.get_many(owners)
        for key, (owner, trial_id) in owners.items():
            content = found.get(key)
            if isinstance(content, DamagedError):
                damaged.append(content)
            elif content is not None:
                try:
                    end = read_result(content, owner, key)
                except InvalidValueError as error:
                    damaged.append(DamagedError(key, str(error), fingerprint(content)))
                else:
                    if isinstance(end, TrialResult) and end.status == "stopped":
                        stops[trial_id] = replace(end, trial_id=trial_id)
        return stops, damaged


def sweep_names(backend: Backend) -> list[str]:
    """The names of all sweeps that were ever run, sorted."""
    parts = (key.split("/") for key in backend.list("sweeps/"))
    return [part[1] for part in parts if len(part) == 3 and part[2] == "sweep.yaml"]
