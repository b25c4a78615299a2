"""Kills trial actors, the broker and the driver of a running storm with SIGKILL.

Moments come from the jobs that the provider has accepted, and never from a clock. The narrowest one
is the gap: the provider has a job, and the ledger does not know its id yet. What is killed then is
the process that has just submitted, or the broker that was about to write the id down.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any, Literal

import psutil
from storm import QUEUE
from witnesses import Witnesses

from qhn.sweeps.driver.callback import RESTARTS
from qhn.sweeps.store.lane_place import open_place

Victim = Literal["actor", "broker", "driver"]


@dataclass
class Tally:
    """What was killed.

    Attributes:
        kills: by victim.
        gaps: how often a job's id was not in the ledger yet when the victim was gone.
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
                note = self._witnesses.note(submission)
                if in_gap and note["state"] != "reserved":
                    continue
                if self._kill(victim, submission, note, in_gap):
                    return True
            # The processor is left to those who shall get into the gap.
            time.sleep(0.0005)
        return False

    def _kill(self, victim: Victim, submission: str, note: dict[str, Any], in_gap: bool) -> bool:
        process = self._victim(victim, note)
        if process is None:
            return False
        process.send_signal(signal.SIGKILL)
        if victim == "driver":
            self._driver.wait()
        else:
            psutil.wait_procs([process], timeout=60)
        self._tally.kills[victim] += 1
        if victim == "actor":
            trial = note["holder"].partition("@")[0]
            self._deaths[trial] += 1
            self._left[submission] = (time.monotonic(), note["holder"])
        after = self._witnesses.note(submission)
        if in_gap and (after["state"], after["job_id"]) == ("reserved", None):
            self._tally.gaps[victim] += 1
        return True

    def _victim(self, victim: Victim, note: dict[str, Any]) -> psutil.Process | None:
        """The process to kill, if it can be found and may be killed once more."""
        try:
            if victim == "driver":
                # The driver dies with the process that watches it; see `qhn.cli.supervisor`.
                return psutil.Process(self._driver.pid)
            if victim == "broker":
                return _of_ray((open_place(str(self._root), QUEUE).holder() or "").split()[1])
            holder = note["holder"]
            # A trial whose processes die more often is taken for the reason, and fails.
            if note["state"] in ("done", "failed") or self._deaths[_trial(holder)] >= RESTARTS:
                return None
            return _of_ray(holder.rsplit("-", 2)[1])
        except (psutil.Error, IndexError):
            return None

    def _look_for_takeovers(self) -> None:
        for submission, (died, holder) in list(self._left.items()):
            note = self._witnesses.note(submission)
            if note["holder"] != holder or note["state"] in ("done", "failed"):
                self._tally.takeovers_s.append(time.monotonic() - died)
                del self._left[submission]


def _trial(holder: str) -> str:
    return holder.partition("@")[0]


def _of_ray(pid: str) -> psutil.Process | None:
    process = psutil.Process(int(pid))
    return process if process.cmdline()[0].startswith("ray::") else None
