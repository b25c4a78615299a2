"""Kills trial actors, the broker and the driver of a running storm with SIGKILL.

Moments come from the jobs that the provider has accepted, and never from a clock. The narrowest one
is the gap: the provider has a job, and the ledger does not know its id yet. To be sure of it, the
broker is stopped as soon as the provider has a job, and only if the id is not in the ledger then
something is killed, before the broker goes on.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any, Literal

import psutil
from storm import QUEUE
from witnesses import Witnesses

from qhn.lanes.desk import trial_of
from qhn.lanes.ledger import ENDS
from qhn.sweeps.driver.deaths import RESTARTS
from qhn.sweeps.store.lane_place import open_place

#: What is killed: the process that holds a job, the broker, both of them, or the driver.
Victim = Literal["actor", "broker", "both", "driver"]


@dataclass
class Tally:
    """What was killed.

    Attributes:
        kills: by victim.
        gaps: how many of these kills were in the gap.
        takeovers_s: the seconds from the death of a job's holder until another process had taken
            the job up, or it had ended.
    """

    kills: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    takeovers_s: list[float] = field(default_factory=list)


class Killer:
    """Follows one driver, and kills something of it when the time has come.

    Args:
        root: the folder of the store.
        driver: the process that was started for the sweep.
        tally: to which kills are added.
    """

    def __init__(self, root: Path, driver: Popen[Any], tally: Tally) -> None:
        self._root = root
        self._driver = driver
        self._tally = tally
        self._witnesses = Witnesses(root)
        self._deaths: Counter[str] = Counter()
        self._left: dict[str, tuple[float, str]] = {}

    def close(self) -> None:
        """Close what it reads."""
        self._witnesses.close()

    def kill_after(self, number: int, victim: Victim, *, in_gap: bool) -> bool:
        """Wait until the provider has more than so many jobs, and kill.

        Args:
            number: how many jobs there are before.
            victim: what to kill.
            in_gap: whether to wait for a job besides whose id is not in the ledger yet.

        Returns:
            Whether anything was killed. False if the driver ended before.
        """
        seen = number
        while self._driver.poll() is None:
            self._look_for_takeovers()
            for job, submission in self._witnesses.jobs_since(seen):
                seen = job
                if in_gap and self._witnesses.note(submission)["state"] != "reserved":
                    continue
                if self._kill(victim, submission, in_gap):
                    return True
            # The processor is left to those who shall get into the gap.
            time.sleep(0.0005)
        return False

    def _kill(self, victim: Victim, submission: str, in_gap: bool) -> bool:
        broker = _of_ray((open_place(str(self._root), QUEUE).holder() or "").split()[1:2])
        if in_gap and not self._holds_still(broker, submission):
            return False
        note = self._witnesses.note(submission)
        try:
            victims = self._victims(victim, note, broker)
            for process in victims:
                process.send_signal(signal.SIGKILL)
            if victim == "driver":
                self._driver.wait()
            else:
                psutil.wait_procs(victims, timeout=60)
        finally:
            if broker is not None:
                with suppress(psutil.Error):
                    broker.resume()
        if victims:
            self._count(victim, submission, note["holder"], in_gap)
        return bool(victims)

    def _holds_still(self, broker: psutil.Process | None, submission: str) -> bool:
        """Stop the broker before it writes a job's id; False if it has died or was faster."""
        if broker is None:
            return False
        with suppress(psutil.Error):
            broker.suspend()
            while broker.status() != psutil.STATUS_STOPPED:
                time.sleep(0.0001)
            if self._witnesses.note(submission)["state"] == "reserved":
                return True
            broker.resume()
        return False

    def _victims(
        self, victim: Victim, note: dict[str, Any], broker: psutil.Process | None
    ) -> list[psutil.Process]:
        """The processes to kill; none if they cannot be found or may not be killed once more."""
        if victim == "driver":
            # The driver dies with the process that watches it; see `qhn.cli.supervisor`.
            return [psutil.Process(self._driver.pid)]
        found = [broker] if victim in ("broker", "both") else []
        if victim in ("actor", "both"):
            # A trial whose processes die more often is taken for the reason, and fails.
            over = note["state"] in ENDS or self._deaths[trial_of(note["holder"])] >= RESTARTS
            found.append(None if over else _of_ray(note["holder"].rsplit("-", 2)[1:2]))
        return [] if None in found else [process for process in found if process is not None]

    def _count(self, victim: Victim, submission: str, holder: str, in_gap: bool) -> None:
        self._tally.kills[victim] += 1
        self._tally.gaps[victim] += in_gap
        if victim in ("actor", "both"):
            self._deaths[trial_of(holder)] += 1
            self._left[submission] = (time.monotonic(), holder)

    def _look_for_takeovers(self) -> None:
        for submission, (died, holder) in list(self._left.items()):
            note = self._witnesses.note(submission)
            if note["holder"] != holder or note["state"] in ENDS:
                self._tally.takeovers_s.append(time.monotonic() - died)
                del self._left[submission]


def _of_ray(pid: list[str]) -> psutil.Process | None:
    """The process of Ray with this id, if there is one."""
    try:
        process = psutil.Process(int(pid[0]))
        return process if process.cmdline()[0].startswith("ray::") else None
    except (psutil.Error, IndexError):
        return None
