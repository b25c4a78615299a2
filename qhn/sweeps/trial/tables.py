"""Loss tables, computed once for each data set and network, and shared by all trials of a machine.

Trials that need no tables (`TrialConfig.needs_tables`) share their data in the same way, under a
key of their own.

One Ray actor keeps the tables. It makes a table when the driver announces the first trial that
needs it, and releases it when the driver reports that the last one is over. So a sweep over many
data sets needs memory only for the tables that are in use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

import ray
from ray.exceptions import OwnerDiedError, RayActorError

from qhn.core.evaluation.task import Task
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import open_store

#: How many times a trial asks for a table, if the process that keeps the tables dies meanwhile.
_ATTEMPTS = 3


class Tables:
    """Keeps the tables that are in use. It runs as one Ray actor, which is called remotely.

    Args:
        at_once: how many tables may be made at the same time.
        store_uri: the address of the store, which has the points of data sets from files.
    """

    def __init__(self, at_once: int, store_uri: str) -> None:
        self._store_uri = store_uri
        # Calls come from many threads at once. The pool limits how many tables are made at the same
        # time, and a future is what several trials can wait for.
        self._pool = ThreadPoolExecutor(at_once)
        self._lock = Lock()
        self._made: dict[str, Future[list[ray.ObjectRef]]] = {}

    def prepare(self, key: str, config_json: str) -> None:
        """Begin to make a table, unless it exists or is being made, without waiting for it."""
        self._future(key, config_json)

    def get(self, key: str, config_json: str) -> list[ray.ObjectRef]:
        """A reference to a table, in a list.

        If this actor was started again after a crash, it has no tables, and makes this one again.
        """
        # The list makes Ray hand over the reference itself. The trial then gets the table from
        # shared memory, without a copy.
        return self._future(key, config_json).result()

    def release(self, key: str) -> None:
        """Release a table. Its memory becomes free when no trial uses it any more."""
        with self._lock:
            self._made.pop(key, None)

    def leave(self, machines: list[str]) -> None:
        """End this process if it runs on one of these machines, by their ids in Ray.

        Ray starts it again elsewhere, where it makes the tables that trials still ask for. Those
        that are trained keep theirs.
        """
        here = ray.get_runtime_context()
        if here.get_node_id() in machines:
            ray.kill(here.current_actor, no_restart=False)

    def _future(self, key: str, config_json: str) -> Future[list[ray.ObjectRef]]:
        with self._lock:
            if key not in self._made:
                self._made[key] = self._pool.submit(_make, config_json, self._store_uri)
            return self._made[key]


def _make(config_json: str, store_uri: str) -> list[ray.ObjectRef]:
    # An error is stored in the place of the table. Each trial that needs this table raises it. It
    # must not end this actor, which keeps the tables of other trials.
    try:
        config = TrialConfig.from_json(config_json)
        if config.dataset.digest is not None:
            open_store(store_uri)
        made: Task | Exception = factory.problem(config)
    except Exception as error:  # noqa: BLE001 - raised again by each trial that needs the table
        made = error
    return [ray.put(made)]


def start_tables(at_once: int, store_uri: str, options: Mapping[str, Any] | None = None) -> Any:
    """Start the actor that keeps the tables, and return a handle that trial actors can use.

    Args:
        at_once: how many tables may be made at the same time.
        store_uri: the address of the store.
        options: Ray's options that say on which machine it runs; None if there is but one.
    """
    # No CPU is reserved for the actor. If it needed one, trials that hold all CPUs would wait for a
    # table, and the actor for a CPU, forever. Ray restarts it, and repeats calls, if it dies. Many
    # calls must be able to wait at the same time, one for each trial.
    remote: Callable[..., Any] = ray.remote(
        num_cpus=0, max_restarts=-1, max_task_retries=-1, max_concurrency=1000, **(options or {})
    )(Tables).remote
    return remote(at_once, store_uri)


def fetch(tables: Any, config: TrialConfig) -> Task:
    """The table that a trial needs.

    If making the table raised an error, the same error is raised here.

    Args:
        tables: the handle of the actor that keeps the tables.
        config: the configuration of the trial.
    """
    key, text = config.shared_key, config.to_json()
    for attempt in range(_ATTEMPTS):
        try:
            found: Task | Exception = ray.get(ray.get(tables.get.remote(key, text))[0])
            break
        except (OwnerDiedError, RayActorError):
            # The actor has died, and its tables are lost. Ray starts it again, and it makes the
            # table again.
            if attempt == _ATTEMPTS - 1:
                raise
    if isinstance(found, Exception):
        raise found
    return found
