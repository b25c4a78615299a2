"""Divides independent pieces of work over the machines of a Ray that runs already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qhn.sweeps.driver.attached_ray import attached_ray
from qhn.sweeps.driver.handlers import Shield, handlers_kept


@contextmanager
def on_ray(
    address: str, shield: Shield = handlers_kept
) -> Iterator[Callable[[Callable[[int], Any], Sequence[int]], list[Any]]]:
    """A function that calls a function with each of some numbers, on all CPUs of a Ray.

    The answers come in the order of the numbers. The function and its answers must be such that
    Ray can send them, and the machines must have this version of qhn.

    Args:
        address: ``auto`` for the Ray on this machine, or ``HOST:PORT``.
        shield: the context in which Ray is imported and connected.

    Raises:
        InvalidValueError: if it cannot be an address.
        RayError: if there is no Ray, or this process cannot use it.
    """
    with attached_ray(address, shield):
        import ray

        def each(function: Callable[[int], Any], numbers: Sequence[int]) -> list[Any]:
            def call(work: Callable[[int], Any], number: int) -> Any:
                return work(number)

            remote: Any = ray.remote(num_cpus=1)(call)
            work = ray.put(function)
            return list(ray.get([remote.remote(work, number) for number in numbers]))

        yield each
