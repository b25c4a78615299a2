"""Starts sweeps in processes of their own, and reads how they went."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.measuring import Watcher

from qhn.sweeps.store import open_store

_HERE = Path(__file__).resolve().parent.parent
_SAMPLE_EVERY_S = 0.5


@dataclass(frozen=True)
class Times:
    """When one trial began and ended, in seconds since 1970."""

    started: float
    finished: float


@dataclass(frozen=True)
class Ran:
    """How a sweep went.

    Attributes:
        began: when its Ray had started, in seconds since 1970.
        trials: the ids of its trials.
        times: the times of each trial, by lane; simulated trials are in the lane ``simulator``.
        digest: the digest of its results.
        processor: seconds of the machine's cores that its processes used.
    """

    began: float
    trials: list[str]
    times: dict[str, list[Times]]
    digest: str
    processor: float

    def needed(self, lane: str) -> float:
        """Seconds from the beginning until all trials of a lane had finished."""
        return max(times.finished for times in self.times[lane]) - self.began

    def first_start(self, lane: str) -> float:
        """When the first trial of a lane began."""
        return min(times.started for times in self.times[lane])


class Sweep:
    """A sweep that runs in another process.

    Args:
        module: the module that runs it.
        text: the text of the sweep file.
        folder: a new folder for its file and its store.
        options: further options of the module.
    """

    def __init__(self, module: str, text: str, folder: Path, options: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        file = folder / "sweep.yaml"
        file.write_text(text)
        paths = [str(file), str(folder / "store"), str(folder / "account.json")]
        self._log = (folder / "output.txt").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *paths, *options],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=_HERE,
        )
        self._watcher = Watcher(self._process.pid, memory=False)

    def wait(self) -> Ran:
        """Wait until the sweep has ended.

        Raises:
            SystemExit: if it failed.
        """
        while True:
            try:
                code = self._process.wait(_SAMPLE_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                self._watcher.sample()
        self._log.close()
        if code:
            said = (self._folder / "output.txt").read_text()[-3000:]
            raise SystemExit(f"a sweep ended with exit code {code}; see {self._folder}\n{said}")
        account = json.loads((self._folder / "account.json").read_text())
        results = open_store(str(self._folder / "store")).outcomes(account["lane_of"]).results
        times: dict[str, list[Times]] = {}
        for trial, lane in account["lane_of"].items():
            found = Times(results[trial].started_ms / 1e3, results[trial].finished_ms / 1e3)
            times.setdefault(lane, []).append(found)
        return Ran(
            began=account["began"],
            trials=list(account["lane_of"]),
            times=times,
            digest=account["results_digest"],
            processor=self._watcher.processor,
        )


def run(text: str, folder: Path, *options: str, module: str = "throttling.driver") -> Ran:
    """Run one sweep and wait for it."""
    return Sweep(module, text, folder, options).wait()
