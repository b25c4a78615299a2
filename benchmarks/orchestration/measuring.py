"""Runs one part in a process of its own, and watches what all its processes use."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from qhn.sweeps.driver.local_ray import available_cpus

_SAMPLE_EVERY_S = 0.2
#: Asking for a process's own pages makes the kernel look at each: dear, so not every time.
_MEMORY_EVERY = 5
_WRITER = "qhn.sweeps.tracking.process"


@dataclass(frozen=True)
class Measured:
    """What one part took.

    Attributes:
        trials: how many there were.
        wall: seconds, Ray's start left out.
        ray_start: seconds that Ray took to start; 0 where there is none.
        processor: processor seconds of all processes.
        memory_mb: largest PSS of driver and writer together, in MB; 0 for other parts.
    """

    trials: int
    wall: float
    ray_start: float
    processor: float
    memory_mb: float

    def __str__(self) -> str:
        memory = f", {self.memory_mb:4.0f} MB" if self.memory_mb else ""
        start = f", beside {self.ray_start:.1f} s of Ray's start" if self.ray_start else ""
        return f"{self.wall:7.1f} s wall, {self.processor:6.1f} s processor{memory}{start}"


class Watcher:
    """Sums up what a process and all below it use, from samples while they live."""

    def __init__(self, process: int) -> None:
        self._root = psutil.Process(process)
        self._processor: dict[tuple[int, float], float] = {}
        self._samples = 0
        self.memory_mb = 0.0

    @property
    def processor(self) -> float:
        return sum(self._processor.values())

    def sample(self) -> None:
        """Look at every process once; those that have just ended keep their last sample."""
        memory: defaultdict[str, float] = defaultdict(float)
        with suppress(psutil.Error):
            for process in (self._root, *self._root.children(recursive=True)):
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    used = times.user + times.system
                    self._processor[process.pid, process.create_time()] = used
                    if self._samples % _MEMORY_EVERY == 0 and (role := self._role(process)):
                        memory[role] += process.memory_full_info().pss / 1e6
        self._samples += 1
        # Both: the first samples see a driver whose writer has not begun.
        self.memory_mb = max(self.memory_mb, sum(memory.values()))

    def _role(self, process: psutil.Process) -> str | None:
        command = process.cmdline()
        if _WRITER in command:
            return "writer"
        # The command's own process only watches the driver, which it has forked.
        is_driver = "qhn.cli" in command and process.pid != self._root.pid
        return "driver" if is_driver else None


def run_part(part: str, file: Path, folder: Path) -> Measured:
    """Measure one part.

    Args:
        part: ``sweep``, or the name of a module beside this one that has a part.
        file: the sweep file.
        folder: where the sweep's store is, which ``mlflow`` reads; others make what they need.
    """
    account = folder / f"{part}.json"
    if part == "sweep":
        command = ["qhn.cli", "sweep", "run", str(file), "--store", str(folder / "store")]
        # Every core, whatever else runs: a sweep beside others would take what they leave.
        command += ["--summary", str(account), "--cpus", str(available_cpus())]
    else:
        command = ["orchestration.parts", part, str(file), str(folder), str(account)]
    begin = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent if part != "sweep" else None,
    )
    watcher = Watcher(process.pid)
    while process.poll() is None:
        watcher.sample()
        time.sleep(_SAMPLE_EVERY_S)
    whole = time.monotonic() - begin
    if process.returncode != 0:
        raise SystemExit(f"{part} ended with exit code {process.returncode}")
    said = json.loads(account.read_text())
    ray_start = float(said.get("ray_start_seconds", 0.0))
    return Measured(
        trials=int(said["trials"]),
        wall=float(said.get("seconds", whole - ray_start)),
        ray_start=ray_start,
        processor=float(said.get("processor_seconds", watcher.processor)),
        memory_mb=watcher.memory_mb,
    )
