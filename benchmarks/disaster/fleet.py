"""Workers that come and go, as instances do that are hired by the minute and may be taken away."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np
import psutil

from disaster.losses import Loss
from disaster.parts import Topology, has_title
from qhn.core.errors import QhnError
from qhn.sweeps.store import SweepStore

#: A process of a trial has this title while it trains, and this one between two pieces of work.
_TRAINS, _PAUSES = "ResourceTrainable.train", "TrialActor"
# How long an instance may take to leave after SIGTERM.
_GRACE_S = 30.0
_LOOK_EVERY_S = 0.5


@dataclass(eq=False)
class Instance:
    """A worker. All times are in seconds since 1970.

    Attributes:
        name: its name.
        process: the process from which all its others come.
        joined: when Ray's head took it up.
        leaves: when it is to leave.
        drained: whether it leaves in order, after SIGTERM.
        first: when a trial was first seen to train on it; None before that.
        last: when trials were last seen to train on it.
        trained: how many trials that were.
        running: the trials that ran on all workers then, see `Loss.running`.
        warned: when it got SIGTERM; None before that.
    """

    name: str
    process: psutil.Process
    joined: float
    leaves: float
    drained: bool
    first: float | None = None
    last: float = 0.0
    trained: int = 0
    running: Mapping[str, float] = field(default_factory=dict)
    warned: float | None = None

    def look(self, running: Mapping[str, float]) -> None:
        """See whether trials train on it.

        Args:
            running: the trials that run on all workers, see `Loss.running`.
        """
        now = time.time()
        family = list(_family(self.process))
        training = [one for one in family if has_title(one, _TRAINS)]
        if training and self.first is None:
            self.first = now
        busy = training + [one for one in family if has_title(one, _PAUSES)]
        if busy:
            self.last, self.trained, self.running = now, len(busy), dict(running)

    def lives(self) -> bool:
        """Whether its first process lives."""
        with suppress(psutil.Error):
            return self.process.status() != psutil.STATUS_ZOMBIE
        return False


class Fleet:
    """The workers of a cluster, each of which lives for a while and is replaced by another one.

    Args:
        topology: the cluster.
        size: how many workers it has.
        life: how long one lives on average, in seconds: from two thirds to four thirds of it.
        sweep: the sweep that runs there, in its store.
        rng: draws how long each lives, and how it leaves.
        timeline: the file to which it writes what happens.

    Attributes:
        losses: the workers that have gone.
        joined: the workers that have joined while the sweep ran.
    """

    def __init__(
        self,
        topology: Topology,
        size: int,
        life: float,
        sweep: SweepStore,
        rng: np.random.Generator,
        timeline: TextIO,
    ) -> None:
        self._topology = topology
        self._timeline = timeline
        self._life = life
        self._sweep = sweep
        self._rng = rng
        self._pool = ThreadPoolExecutor(size)
        self._coming: list[Future[Instance]] = []
        self._running: dict[str, float] = {}
        self._looked_at = 0.0
        self.losses: list[Loss] = []
        self.joined: list[Instance] = []
        # At first they are as old as if they had come one after the other.
        self._here = [
            self._instance(f"worker-{number}", life * number / size, self._is_drained())
            for number in range(1, size + 1)
        ]

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def look(self, *, may_leave: bool) -> None:
        """Note what has changed, and let workers leave whose time has come.

        Args:
            may_leave: whether workers still leave. Those that have got SIGTERM do in any case.
        """
        self._look_at_sweep()
        for future in [future for future in self._coming if future.done()]:
            self._coming.remove(future)
            self._here.append(future.result())
            self.joined.append(self._here[-1])
            self._tell(f"{self._here[-1].name} has joined, at {self._here[-1].joined:.1f}")
        for instance in list(self._here):
            if instance.warned is not None:
                self._follow(instance)
            elif may_leave and time.time() >= instance.leaves:
                self._let_go(instance)
            elif instance.first is None:
                instance.look(self._running)
                if instance.first is not None:
                    self._tell(f"{instance.name} trains")

    def _look_at_sweep(self) -> None:
        now = time.time()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        with suppress(QhnError):
            before, ids = self._running, self._sweep.running()
            self._running = {i: before.get(i, self._looked_at) for i in ids}
            for trial in sorted(before.keys() ^ self._running.keys()):
                self._tell(f"{trial} {'runs' if trial in self._running else 'runs no more'}")
        self._looked_at = now

    def _let_go(self, instance: Instance) -> None:
        instance.look(self._running)
        if instance.drained:
            instance.warned = time.time()
            instance.process.terminate()
            self._tell(f"{instance.name} gets SIGTERM")
        else:
            self._end(instance, time.time())

    def _follow(self, instance: Instance) -> None:
        """See how far a worker is that was told to leave."""
        assert instance.warned is not None
        if not instance.lives() or time.time() > instance.warned + _GRACE_S:
            self._end(instance, instance.last or time.time())
        else:
            instance.look(self._running)

    def _end(self, instance: Instance, when: float) -> None:
        for process in _family(instance.process):
            with suppress(psutil.Error):
                process.kill()
        how = "drained" if instance.drained else "killed"
        self._tell(f"{instance.name} was {how}, with {instance.trained} trials, at {when:.1f}")
        self.losses.append(Loss(instance.name, how, when, instance.trained, instance.running))
        self._here.remove(instance)
        # Drawn here, because workers start side by side.
        life, drained = self._life * self._rng.uniform(2 / 3, 4 / 3), self._is_drained()
        self._coming.append(self._pool.submit(self._replace, instance.name, life, drained))

    def _tell(self, what: str) -> None:
        print(f"{time.time():.1f} {what}", file=self._timeline, flush=True)

    def _is_drained(self) -> bool:
        return bool(self._rng.random() < 0.5)

    def _replace(self, gone: str, life: float, drained: bool) -> Instance:
        self._topology.kill(gone)  # what it has left
        return self._instance(self._topology.start("worker"), life, drained)

    def _instance(self, name: str, life: float, drained: bool) -> Instance:
        process, joined = self._topology.first_process(name), self._topology.joined(name)
        return Instance(name, process, joined, time.time() + life, drained)


def _family(process: psutil.Process) -> Iterator[psutil.Process]:
    """A process and all that come from it."""
    with suppress(psutil.Error):
        yield from [process, *process.children(recursive=True)]
