"""Runs one part in a process of its own, and measures what it and its child processes use."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from qhn.sweeps.driver.local_ray import available_cpus

_SAMPLE_EVERY_S = 0.2
# To find the memory that belongs to a process, the kernel looks at each of its pages. That is slow,
# so it is done only in every fifth sample.
_MEMORY_EVERY = 5
_WRITER = "qhn.sweeps.tracking.process"


@dataclass(frozen=True)
class Measured:
    """The measurements of one part.

    Attributes:
        trials: the number of trials.
        wall: wall-clock seconds without the start of Ray.
        ray_start: seconds that Ray took to start; 0 for parts without Ray.
        processor: processor seconds of all processes.
        memory_mb: the largest PSS of driver and writer together, in MB; 0 for other parts.
        peaks_mb: the largest PSS of each of the two, in MB, by name; empty for other parts.
    """

    trials: int
    wall: float
    ray_start: float
    processor: float
    memory_mb: float
    peaks_mb: dict[str, float]

    def __str__(self) -> str:
        memory = f", {self.memory_mb:4.0f} MB" if self.memory_mb else ""
        start = f", beside {self.ray_start:.1f} s of Ray's start" if self.ray_start else ""
        return f"{self.wall:7.1f} s wall, {self.processor:6.1f} s processor{memory}{start}"


class Watcher:
    """Adds up what a process and its descendants use, from samples while they run.

    Args:
        process: the id of the process.
        memory: whether memory is measured as well, which takes a while in each sample.
        beside: other processes that work for it and were there before, such as the nodes of a
            cluster. What they and their descendants use from now on is added.

    Attributes:
        memory_mb: the largest PSS of driver and writer together so far, in MB.
        peaks_mb: the largest PSS of each of the two so far, in MB, by name.
    """

    def __init__(
        self, process: int, *, memory: bool = True, beside: Sequence[psutil.Process] = ()
    ) -> None:
        self._root = psutil.Process(process)
        self._memory = memory
        self._beside = list(beside)
        self._processor: dict[tuple[int, float], float] = {}
        for one in _families(self._beside):
            with suppress(psutil.Error):
                self._note(one)
        self._before = sum(self._processor.values())
        self._samples = 0
        self.memory_mb = 0.0
        self.peaks_mb: dict[str, float] = {}

    @property
    def processor(self) -> float:
        """The processor seconds of all processes, also of those that have ended."""
        return sum(self._processor.values()) - self._before

    def sample(self) -> None:
        """Take one sample of every process. A process that has ended keeps its last sample."""
        memory: defaultdict[str, float] = defaultdict(float)
        with suppress(psutil.Error):
            for process in _families([self._root, *self._beside]):
                with suppress(psutil.Error):
                    self._note(process)
                    if not self._memory or self._samples % _MEMORY_EVERY:
                        continue
                    if role := self._role(process):
                        memory[role] += process.memory_full_info().pss / 1e6
        self._samples += 1
        # Driver and writer are added within one sample, because their peaks need not be at the
        # same time.
        self.memory_mb = max(self.memory_mb, sum(memory.values()))
        for role, megabytes in memory.items():
            self.peaks_mb[role] = max(self.peaks_mb.get(role, 0.0), megabytes)

    def _note(self, process: psutil.Process) -> None:
        times = process.cpu_times()
        self._processor[process.pid, process.create_time()] = times.user + times.system

    def _role(self, process: psutil.Process) -> str | None:
        command = process.cmdline()
        if _WRITER in command:
            return "writer"
        # The first process only supervises the driver, which it has forked.
        is_driver = "qhn.cli" in command and process.pid != self._root.pid
        return "driver" if is_driver else None


def _families(roots: Sequence[psutil.Process]) -> Iterator[psutil.Process]:
    """Some processes and all their descendants."""
    for root in roots:
        with suppress(psutil.Error):
            yield from (root, *root.children(recursive=True))


def run_part(
    part: str,
    file: Path,
    folder: Path,
    flags: tuple[str, ...] = (),
    *,
    environment: Mapping[str, str] | None = None,
    beside: Sequence[psutil.Process] = (),
) -> Measured:
    """Measure one part.

    Args:
        part: ``sweep``, or the name of a function in `orchestration.parts`.
        file: the sweep file.
        folder: the folder for all files. The part ``sweep`` makes a store in it, which the part
            ``mlflow`` reads.
        flags: further options of ``qhn sweep run``, for the part ``sweep``. The last one of each
            kind counts.
        environment: the variables of the process; None for those of this one.
        beside: processes whose processor time counts as well, see `Watcher`.
    """
    account = folder / f"{part}.json"
    if part == "sweep":
        command = ["qhn.cli", "sweep", "run", str(file), "--store", str(folder / "store")]
        command.append("--no-report")
        # With --cpus the sweep takes every core. Without it, it would leave the cores of other
        # sweeps that run on this machine.
        command += ["--summary", str(account), "--cpus", str(available_cpus()), *flags]
    else:
        command = ["orchestration.parts", part, str(file), str(folder), str(account)]
    begin = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent if part != "sweep" else None,
        env=environment,
    )
    watcher = Watcher(process.pid, beside=beside)
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
        peaks_mb=watcher.peaks_mb,
    )
