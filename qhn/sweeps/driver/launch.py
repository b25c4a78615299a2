"""From a sweep file to its run on this machine: what the command line and Python both do.

First all that can be said without starting anything (`prepare`), then the sweep's lock and a share
of the machine (`taken`), then the run with everything that libraries print in a log (`run`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from qhn.core.errors import QhnError, RayError, StoreError
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.handlers import Shield, handlers_kept
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.driver.log_capture import output_to
from qhn.sweeps.driver.neighbours import Neighbour, clear_leftovers, placed
from qhn.sweeps.driver.run import RunOptions, RunOutcome, run_sweep
from qhn.sweeps.planning.machine import Machine, this_machine
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.planning.preflight import preflight
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import leave_a_deleted_folder, new_log
from qhn.sweeps.tracking import TrackingLocation, tracking_location

#: Shows a board for as long as the context is open; the text goes to the terminal's own output.
View = Callable[[Board, TextIO], AbstractContextManager[object]]

# Ray and the redirected output belong to the whole process, so that two sweeps cannot share it.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Launch:
    """A sweep that this machine can run.

    Attributes:
        plan: its trials, in an order in which the machine can hold them.
        text: of its file.
        store: where trials are kept.
        machine: that the plan was checked against.
        location: where metrics go.
        log: the file for what libraries print; its folder is there.
    """

    plan: Plan
    text: str
    store: Store
    machine: Machine
    location: TrackingLocation
    log: Path


@dataclass(frozen=True)
class Share:
    """What a run has of the machine.

    Attributes:
        slots: trials at once.
        cores: that it may use; more than ``slots`` where memory does not hold a trial for each.
        trial_bytes: memory of one trial, beside the tables that all trials share.
        others: sweeps that ran here before it, and have their cores.
        ray_folder: for its Ray.
    """

    slots: int
    cores: int
    trial_bytes: int
    others: tuple[Neighbour, ...]
    ray_folder: Path


def prepare(content: bytes, source: str, store: Store, tracking_uri: str | None = None) -> Launch:
    """Check all that can be wrong with a sweep before anything of it is started.

    Args:
        content: of the sweep file.
        source: what messages call the file.
        store: where trials are to be kept; the folder of the log is made in it.
        tracking_uri: where metrics go; None for the environment's or the store's own database.

    Raises:
        SpecError: if the file has mistakes, or asks for more memory than there is.
        TrackingError: if the tracking URI is no address.
        StoreError: if the store cannot be written, or cannot be reached by several processes.
    """
    plan = make_plan(parse_spec(content, source))
    machine = this_machine()
    plan = replace(plan, trials=preflight(plan.trials, machine, content, source))
    location = tracking_location(store, tracking_uri)
    if store.uri.startswith("memory:"):
        raise StoreError(
            f"a sweep's store must be one that several processes can reach, but got "
            f"{store.uri!r}; name a folder with --store"
        )
    with suppress(OSError, QhnError):  # to tidy up after others is no condition
        clear_leftovers()
    text = content.decode("utf-8-sig")
    return Launch(plan, text, store, machine, location, new_log(store, plan.name))


@contextmanager
def taken(launch: Launch, cpus: int | None = None) -> Iterator[Share]:
    """Hold the sweep's lock and a share of this machine's cores until the context closes.

    Args:
        launch: what will run.
        cpus: trials at once; None for one on each core that other sweeps leave.

    Raises:
        StoreError: if another process runs the sweep.
        RayError: if there is no folder for Ray's files.
    """
    plan = launch.plan
    with (
        launch.store.sweep(plan.name).lock,
        placed(plan.name, available_cpus(), cpus) as place,
    ):
        memory = memory_of(trial.config for trial in plan.trials)
        slots = min(place.cores, memory.trials_at_once(launch.machine.memory_bytes))
        yield Share(slots, place.cores, memory.trial, place.others, place.ray_folder)


def run(
    launch: Launch,
    share: Share,
    view: View,
    *,
    retry_failed: bool = False,
    started: float | None = None,
    shield: Shield = handlers_kept,
) -> RunOutcome:
    """Run what is left of the sweep; what libraries print meanwhile goes to the log.

    Args:
        launch: what to run.
        share: of the machine, while its context is open.
        view: shows how far the sweep is.
        retry_failed: whether trials that failed before are tried again.
        started: ``time.monotonic()`` at the command's start; None for now.
        shield: surrounds what must not be interrupted (see `qhn.sweeps.driver.handlers`).

    Raises:
        StoreError: if the store or the log cannot be written.
        TrackingError: if the tracking store cannot be used; nothing was started then.
        RayError: if Ray cannot be started.
    """
    leave_a_deleted_folder(launch.log.parent)
    with output_to(launch.log) as terminal:
        options = RunOptions(
            share.slots, launch.machine, retry_failed, started, shield, share.ray_folder
        )
        return run_sweep(
            launch.plan,
            launch.text,
            launch.store,
            launch.location,
            lambda board: view(board, terminal),
            options,
        )


@contextmanager
def process_to_itself() -> Iterator[None]:
    """Refuse a process that has a Ray, or a sweep, of its own already, for a program that runs one.

    Raises:
        RayError: if the caller has initialised Ray, or runs a sweep in another thread.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise RayError(
            "one sweep at a time can run in a process, but another thread is running one; wait "
            "for it, or run the sweeps from processes of their own (`qhn sweep run FILE`)"
        )
    try:
        _refuse_foreign_ray()
        yield
    finally:
        _one_at_a_time.release()


def _refuse_foreign_ray() -> None:
    # Not imported for the question: who has not imported Ray has not initialised it either.
    ray = sys.modules.get("ray")
    # A process can be connected to one Ray alone; to end that one would end the caller's work.
    if ray is not None and ray.is_initialized():
        raise RayError(
            "a sweep starts a Ray of its own, but this process is connected to one already, which "
            "is left as it is; call `ray.shutdown()` first if you are done with it, or run the "
            "sweep from another process (`qhn sweep run FILE`)"
        )


def trials_left_out(launch: Launch) -> int:
    """How many trials that are over the file asked for when it was last run, and now does not."""
    store, plan = launch.store, launch.plan
    try:
        before = make_plan(parse_spec(store.sweep(plan.name).read_file()))
    except QhnError:  # never run, or by another version
        return 0
    now = {trial.trial_id for trial in plan.trials}
    return len(store.finished({trial.trial_id for trial in before.trials} - now))
