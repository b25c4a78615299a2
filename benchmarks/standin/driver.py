"""Runs a real driver with slots that only sleep: ``python -m standin.driver FOLDER ACCOUNT ...``.

Ray believes in a machine with a CPU for each slot. After all slots have started, or after two
minutes, the driver is watched for the window, and the sweep is stopped as by Ctrl-C.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.handlers import handlers_kept
from qhn.sweeps.driver.live import Live
from qhn.sweeps.driver.tune_run import Work, train
from qhn.sweeps.planning.machine import this_machine
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import Knowledge, WriterProcess, tracking_location
from qhn.sweeps.trial import answering

SWEEP = """
name: capacity
datasets: [moons]
objectives: [mle]
seeds: {seeds}
"""
#: Ray would start a process for each CPU that it believes in. The few that it starts now check that
#: resources are there before an actor starts.
_FEW_PROCESSES = {
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_num_workers_soft_limit": "4",
    "RAY_worker_maximum_startup_concurrency": "2",
}
_START_S = 120.0
_HOSTS = 2


class Observer(threading.Thread):
    """Watches the driver for a window of time, and then stops it.

    Attributes:
        found: the measurements, see `benchmarks/capacity.py`.
    """

    def __init__(
        self, board: Board, writer: WriterProcess, hosts: Any, slots: int, window: float
    ) -> None:
        super().__init__(daemon=True)
        self.found: dict[str, Any] = {}
        self._board = board
        self._writer = writer
        self._hosts = hosts
        self._slots = slots
        self._window = window
        self._process = psutil.Process()

    def run(self) -> None:
        try:
            self._watch()
        finally:
            os.kill(os.getpid(), signal.SIGUSR1)

    def _watch(self) -> None:
        import ray

        while self._board.phase != "training":
            time.sleep(0.2)
        deadline = time.monotonic() + _START_S
        while self._starts()[0] < self._slots and time.monotonic() < deadline:
            time.sleep(0.5)
        begin, before = time.time(), self._now()
        time.sleep(self._window)
        end, after = time.time(), self._now()
        took = end - begin
        busy = ray.get([host.busy.remote(begin, end) for host in self._hosts()])
        writer = psutil.Process(self._writer.process_id)
        started, start_s = self._starts()
        self.found = {
            "slots_started": started,
            "start_seconds": start_s,
            "busy": sum(seconds for seconds, _ in busy) / took / self._slots,
            "answers_per_second": sum(number for _, number in busy) / took,
            "ends_per_second": (after["ended"] - before["ended"]) / took,
            "loop": (after["loop"] - before["loop"]) / took,
            "unwritten_before": before["waiting"],
            "unwritten": after["waiting"],
            "driver_mb": self._process.memory_full_info().pss / 1e6,
            "writer_mb": writer.memory_full_info().pss / 1e6,
            "load": os.getloadavg()[0],
        }

    def _starts(self) -> tuple[int, float]:
        """How many slots have started, and within how many seconds."""
        import ray

        numbers, asked, began = zip(
            *ray.get([host.starts.remote() for host in self._hosts()]), strict=True
        )
        return sum(numbers), max(began) - min(asked)

    def _now(self) -> dict[str, float]:
        # Tune's loop runs in the main thread, whose id is that of the process.
        threads = {thread.id: thread for thread in self._process.threads()}
        loop = threads[self._process.pid]
        return {
            "ended": self._board.count("finished"),
            "loop": loop.user_time + loop.system_time,
            "waiting": self._writer.waiting,
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("account", type=Path)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of each trial")
    parser.add_argument("--window", type=float, required=True)
    parser.add_argument("--fastest", type=float, required=True, help="trials a second, at most")
    parser.add_argument("--answer-seconds", type=float, help="in place of what the driver says")
    options = parser.parse_args()
    if options.answer_seconds is not None:
        answering.answer_seconds = lambda live: options.answer_seconds
    os.environ.update(_FEW_PROCESSES)
    # The processes of Ray import what they need from here.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    slots, seconds = options.slots, options.seconds
    rate = min(slots / seconds, options.fastest)
    text = SWEEP.format(seeds=3 * slots + int(rate * (_START_S + options.window)))
    plan = make_plan(parse_spec(text))
    store = open_store(str(options.folder / "store"))
    store.sweep(plan.name).save_file(text)
    board = Board(plan.trials, {}, set())
    writer = WriterProcess(tracking_location(store), store, text, Knowledge({}, {}))
    writer.start()

    @functools.cache
    def hosts() -> list[Any]:
        from standin.host import Host

        kind = Host.options(max_concurrency=2 * slots)
        trial = plan.trials[0].config.to_json()
        return [kind.remote(store.uri, trial, seconds) for _ in range(_HOSTS)]

    observer = Observer(board, writer, hosts, slots, options.window)
    with tempfile.TemporaryDirectory(prefix="ray-") as ray_folder:
        work = Work(
            plan,
            list(plan.trials),
            {},
            Live({None: slots}, {None: 0}, {None: slots}),
            this_machine(),
            store,
            writer,
            board,
            options.folder / "tune",
            {},
            {},
            handlers_kept,
            Path(ray_folder),
        )
        _run(work, hosts, observer)
    writer.abandon("KILLED")
    writer.end()
    options.account.write_text(json.dumps(observer.found))


def _run(work: Work, hosts: Any, observer: Observer) -> None:
    from qhn.sweeps.driver.local_ray import set_environment

    # Before Ray is imported, as in a sweep.
    set_environment()
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    from standin.manager import slots_in

    observer.start()
    with slots_in(hosts):
        train(work)


if __name__ == "__main__":
    main()
