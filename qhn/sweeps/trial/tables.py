"""Loss tables, computed once per data set and network and shared by all trials of a machine.

One Ray actor keeps them. A table is made when the driver says that its first trial is coming, and
let go when the driver says that its last trial is over, so that a sweep over many data sets
needs memory for those that are in use and not for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

import ray
from ray.exceptions import OwnerDiedError, RayActorError

from qhn.core.evaluation.problem import Problem
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig

#: How often a table is asked for again when the process that kept it has died.
_ATTEMPTS = 3


class Tables:
    """Keeps the tables that are in use. Runs as one Ray actor; its methods are called remotely.

    Args:
        at_once: how many tables are made at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once)
        self._lock = Lock()
        self._made: dict[str, Future[list[ray.ObjectRef]]] = {}

    def prepare(self, key: str, config_json: str) -> None:
        """Begin to make a table, unless it is there or being made; returns at once."""
        self._future(key, config_json)

    def get(self, key: str, config_json: str) -> list[ray.ObjectRef]:
        """The reference to a table, in a list so that Ray hands over the reference itself.

        A keeper that was started again after a crash has no tables, and makes this one anew.
        """
        return self._future(key, config_json).result()

    def release(self, key: str) -> None:
        """Let a table go. Its memory is free once no trial holds it any more."""
        with self._lock:
            self._made.pop(key, None)

    def _future(self, key: str, config_json: str) -> Future[list[ray.ObjectRef]]:
        with self._lock:
            if key not in self._made:
                self._made[key] = self._pool.submit(_make, config_json)
            return self._made[key]


def _make(config_json: str) -> list[ray.ObjectRef]:
    # An error is put there like a table: it belongs to the trials that need this table, each of
    # which raises it, and must not take down the actor that keeps the others.
    try:
        made: Problem | Exception = factory.problem(TrialConfig.from_json(config_json))
    except Exception as error:  # noqa: BLE001 - raised again by each trial that needs the table
        made = error
    return [ray.put(made)]


def start_tables(at_once: int) -> Any:
    """Start the actor that keeps the tables; a handle that can be given to trial actors.

    No CPU is reserved for it: trials may hold them all, and wait for the table that would wait
    for a CPU.
    """
    remote: Callable[..., Any] = ray.remote(
        num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=1000
    )(Tables).remote
    return remote(at_once)


def fetch(tables: Any, config: TrialConfig) -> Problem:
    """The table that a trial needs; the error that making it raised is raised here.

    Args:
        tables: the handle of the actor that keeps them.
        config: of the trial.
    """
    key, text = config.problem_key, config.to_json()
    for attempt in range(_ATTEMPTS):
        try:
            found: Problem | Exception = ray.get(ray.get(tables.get.remote(key, text))[0])
            break
        except (OwnerDiedError, RayActorError):
            # The keeper's memory is gone with it; the next one makes the table anew.
            if attempt == _ATTEMPTS - 1:
                raise
    if isinstance(found, Exception):
        raise found
    return found
