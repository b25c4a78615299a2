"""Lets Tune's controller start, call and stop slots of hosts in place of processes of their own.

Everything else is Ray's: the placement group of each slot, the calls, the futures that Tune waits
for, and the results that travel back. Only the hosts, which are few, are processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import ray
from ray.air.execution._internal import RayActorManager
from ray.tune.execution import tune_controller


class _Method:
    """A method of a slot that is called remotely: that of its host, with the slot's number."""

    def __init__(self, method: Any, slot: int) -> None:
        self._method = method
        self._slot = slot

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        return self._method.remote(self._slot, *args, **kwargs)


class _Slot:
    """What Tune takes for the handle of an actor."""

    def __init__(self, host: Any, slot: int, arguments: dict[str, Any]) -> None:
        self.train = _Method(host.train, slot)
        self.get_auto_filled_metrics = _Method(host.get_auto_filled_metrics, slot)
        self.reset = _Method(host.reset, slot)
        self.stop = self.__ray_terminate__ = _Method(host.stop, slot)
        self._started = host.start.remote(slot, arguments)

    @property
    def __ray_ready__(self) -> _Slot:
        return self

    def remote(self) -> Any:
        """The future that resolves when the slot has started."""
        return self._started


class _Slots(ray.actor.ActorClass):  # type: ignore[misc]
    """What Tune takes for the class of its actors."""

    def __init__(self, hosts: Callable[[], Sequence[Any]]) -> None:
        self._hosts = hosts
        self._numbers = count()

    def options(self, **options: Any) -> _Slots:
        return self

    def remote(self, *args: Any, **kwargs: Any) -> _Slot:
        hosts, number = self._hosts(), next(self._numbers)
        return _Slot(hosts[number % len(hosts)], number, kwargs)


class StandInManager(RayActorManager):  # type: ignore[misc]
    """Tune's manager of actors, for slots of hosts."""

    def __init__(self, hosts: Callable[[], Sequence[Any]], resource_manager: Any) -> None:
        super().__init__(resource_manager)
        self._slots = _Slots(hosts)

    def add_actor(self, cls: Any, kwargs: Any, resource_request: Any, **callbacks: Any) -> Any:
        return super().add_actor(self._slots, kwargs, resource_request, **callbacks)

    def _try_kill_actor(self) -> bool:
        if not self._live_actors_to_kill:
            return False
        actor = self._live_actors_to_kill.pop()
        self._cleanup_actor_futures(actor)
        self._actor_stop_resolved(actor)
        return True

    def cleanup(self) -> None:
        # The hosts end with Ray.
        for _, resources in self._live_actors_to_ray_actors_resources.values():
            self._resource_manager.free_resources(resources)
        self._live_actors_to_ray_actors_resources.clear()
        self._resource_manager.clear()


@contextmanager
def slots_in(hosts: Callable[[], Sequence[Any]]) -> Iterator[None]:
    """Let Tune use slots of these hosts, which are asked for when Ray runs."""
    before = tune_controller.RayActorManager
    tune_controller.RayActorManager = partial(StandInManager, hosts)
    try:
        yield
    finally:
        tune_controller.RayActorManager = before
