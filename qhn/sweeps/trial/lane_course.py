"""What the parts of a step's way through a lane have in common: the pauses, and the lease."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from qhn.core.arrays import IntArray
from qhn.core.errors import LaneError
from qhn.devices.queued import JobReport, QueuedHandle
from qhn.lanes.amounts import Usage
from qhn.lanes.desk import Desk, Granted
from qhn.lanes.ticket import Ticket
from qhn.sweeps.trial.lane_pace import Pace
from qhn.sweeps.trial.lane_use import LaneUse, Whereabouts


@dataclass(frozen=True)
class Pause:
    """A place on the way at which the trial may be left alone for a while.

    Attributes:
        seconds: for how long there is nothing to do.
        where: where the trial is.
        note: why it pauses, if there is more to say.
    """

    seconds: float
    where: Whereabouts
    note: str = ""


T = TypeVar("T")
#: A piece of the way. It is written as if it could wait, and gives a `Pause` wherever it would.
Course: TypeAlias = Generator[Pause, None, T]


class LeaseLostError(Exception):
    """The lease is lost. Whoever had it asks again, and is told how things are."""


@dataclass
class Travel:
    """What one trial needs on its way: its device, its broker, its account.

    Attributes:
        handle: the open device.
        desk: the broker of the device's queue.
        ticket: the lane of the trial.
        store_id: the id of the store, a part of each submission id.
        trial: the id of the trial.
        holder: the name under which this process asks. Another process never has the same.
        clock: gives the time in seconds, from any beginning.
        pace: how long to pause.
        use: the trial's account.
        notes: lines for people.
        fetched: the last job and place in it that were fetched, with their samples, so that these
            need not be fetched twice.
        submitted: the submission id and the provider's id of the last job that this process has
            submitted, until the broker knows it.
        missed: when a job that nobody looks after was first not found, by submission id and the
            token of its last lease.
    """

    handle: QueuedHandle
    desk: Desk
    ticket: Ticket
    store_id: str
    trial: str
    holder: str
    clock: Callable[[], float]
    pace: Pace
    use: LaneUse
    notes: list[str]
    fetched: tuple[str, int, IntArray] | None = None
    submitted: tuple[str, str] | None = None
    missed: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def promise(self) -> Any:
        """What the device promises about repeated submissions."""
        return self.handle.capabilities.submission

    def usage(self, report: JobReport) -> Usage | None:
        """The provider's account of a whole job; None if it gives none."""
        if report.shots is None or report.qpu_seconds is None:
            return None
        price = self.ticket.prices.of(report.shots, report.qpu_seconds)
        return Usage(report.shots, float(report.qpu_seconds), price)

    def give_up(self, what: str, error: Exception | str) -> LaneError:
        """The error of a trial that cannot go on, in the provider's words."""
        return LaneError(f"{what} on {self.handle.name} (queue {self.ticket.queue}): {error}")


class Hold:
    """A lease that this process holds, renewed while it waits.

    Args:
        travel: whose lease it is.
        grant: the lease.
    """

    def __init__(self, travel: Travel, grant: Granted) -> None:
        self.token = grant.token
        self.submission = grant.submission
        self._travel = travel
        self._every_s = grant.term_s / 3
        self._renew_at = travel.clock() + self._every_s

    def wait(self, seconds: float, where: Whereabouts, note: str = "") -> Course[None]:
        """Pause, and renew the lease as often as its term asks for.

        Raises:
            LeaseLostError: if the lease was given to another meanwhile.
        """
        travel = self._travel
        until = travel.clock() + seconds
        while True:
            left = until - travel.clock()
            yield Pause(max(0.0, min(left, self._renew_at - travel.clock())), where, note)
            now = travel.clock()
            if now >= self._renew_at:
                if not travel.desk.renew(self.token, travel.holder):
                    raise LeaseLostError
                self._renew_at = now + self._every_s
            if now >= until:
                return

    def release(self, outcome: Any, used: Usage | None = None, why: str = "") -> None:
        """Give the lease back. If it is lost already, the next question shows what became of it."""
        travel = self._travel
        travel.desk.release(self.token, travel.holder, outcome, used, why)


def words_of(error: BaseException) -> str:
    """What an error says, on one line; its class if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
