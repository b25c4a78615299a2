"""The way from a sweep file to its run on this machine, for the command line and for Python.

There are three steps. `prepare` checks everything that can be checked without starting anything.
`taken` takes the lock of the sweep and a share of the machine. `run` runs the sweep, and sends what
libraries print to a log.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from qhn.core.errors import QhnError, RayError, StoreError
from qhn.sweeps.driver.attached_ray import Cluster, attached_ray
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.checkup import check_queues
from qhn.sweeps.driver.cluster_checkup import (
    check_cluster,
    largest,
    machines_there,
    refuse_wrong,
)
from qhn.sweeps.driver.data_files import check_unchanged, keep_points
from qhn.sweeps.driver.handlers import Shield, handlers_kept
from qhn.sweeps.driver.live import Live, live_trials, wanted_live
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.driver.log_capture import output_to
from qhn.sweeps.driver.neighbours import Neighbour, clear_leftovers, placed
from qhn.sweeps.driver.placement import placement_of
from qhn.sweeps.driver.raylets import check_address
from qhn.sweeps.driver.run import RunOptions, RunOutcome, run_sweep
from qhn.sweeps.planning.machine import Machine, this_machine
from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.planning.preflight import preflight
from qhn.sweeps.results.left import check_budgets, lanes_left
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import is_elsewhere, leave_a_deleted_folder, new_log
from qhn.sweeps.tracking import TrackingLocation, tracking_location

#: A function that shows a board as long as its context is open. The second argument is the
#: standard output of before, which is not redirected to the log.
View = Callable[[Board, TextIO], AbstractContextManager[object]]

# Ray and the redirected output belong to the whole process, so two sweeps cannot run in it at the
# same time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Launch:
    """A sweep that was checked.

    Attributes:
        plan: its plan. For a Ray that is started on this machine, the trials are in an order for
            which it has enough memory.
        text: the text of its file.
        source: the name of its file in messages.
        store: where trials are kept.
        address: the address of the Ray that will run the trials; None for one that is started.
        location: the tracking store.
        log: the path of the log for what libraries print. Its folder exists.
    """

    plan: Plan
    text: str
    source: str
    store: Store
    address: str | None
    location: TrackingLocation
    log: Path


@dataclass(frozen=True)
class Share:
    """The part of the machine that a run may use.

    Attributes:
        live: how many trials of each lane run at once. There are fewer simulated trials than cores
            if memory is not enough for a trial on each core.
        cores: how many cores it may use.
        others: the sweeps that were running on this machine before, and keep their cores.
        ray_folder: the folder for Ray's files; None if the Ray is not ours.
        machine: the memory of the machine that runs the trials, or of the smallest of those that
            get some.
        cluster: the Ray to which this process is connected; None if the run starts one.
        notes: lines for people about what is not as it should be in that Ray, but may pass. They
            are said before the run, and are not in its outcome.
        most_cores: how many cores it may use of that Ray if more of them join; None for all.
        attach_seconds: how long it took to connect to that Ray and to look at its machines.
    """

    live: Live
    cores: int
    others: tuple[Neighbour, ...]
    ray_folder: Path | None
    machine: Machine
    cluster: Cluster | None = None
    notes: tuple[str, ...] = ()
    most_cores: int | None = None
    attach_seconds: float = 0.0


def prepare(
    content: bytes,
    source: str,
    store: Store,
    tracking_uri: str | None = None,
    *,
    address: str | None = None,
    over_budget: bool = False,
) -> Launch:
    """Check everything that can be wrong with a sweep before anything is started.

    Args:
        content: the content of the sweep file.
        source: the name of the file in messages.
        store: where trials are kept. The folder for the log is made in it.
        tracking_uri: MLflow's tracking URI; None for the one in the environment, or else the
            database in the store.
        address: the address of the Ray that will run the trials; None for one that is started on
            this machine. The memory of another Ray is looked at in `taken`.
        over_budget: whether the sweep may be expected to take more of a lane than its budget.

    Raises:
        InvalidValueError: if the address cannot be one.
        SpecError: if the file has mistakes, the sweep needs more memory than the machine has, or it
            is expected to take more than a budget, or a data file has changed since its last run.
        NotFoundError: if nobody has the points of a data file.
        TrackingError: if the tracking URI is not valid.
        StoreError: if the store cannot be written, or cannot be reached by several processes.
    """
    spec = parse_spec(content, source)
    plan = make_plan(spec)
    check_unchanged(spec, source, store)
    if address is None:
        plan = replace(plan, trials=preflight(plan.trials, this_machine(), content, source))
    else:
        check_address(address)
    if plan.lanes and not over_budget:
        over = outcomes(plan, store).keys()
        check_budgets(lanes_left(plan, store, over), content, source)
    location = tracking_location(store, tracking_uri)
    if store.uri.startswith("memory:"):
        raise StoreError(
            f"a sweep's store must be one that several processes can reach, but got "
            f"{store.uri!r}; name a folder, or s3://BUCKET/PREFIX, with --store"
        )
    # What killed drivers have left is removed here. If that fails, the sweep can run all the same.
    with suppress(OSError, QhnError):
        clear_leftovers()
    keep_points(plan, store)
    text = content.decode("utf-8-sig")
    log = new_log(store, plan.name)
    return Launch(plan, text, source, store, address, location, log)


@contextmanager
def taken(
    launch: Launch, cpus: int | None = None, shield: Shield = handlers_kept
) -> Iterator[Share]:
    """Hold the lock of the sweep and a share of the machine's cores until the context closes.

    Args:
        launch: the sweep.
        cpus: how many cores to take; None for all that other sweeps leave. Of a Ray that runs
            already, None takes all CPUs, and Ray itself divides them.
        shield: the context for work that must not be interrupted (see
            `qhn.sweeps.driver.handlers`).

    Raises:
        StoreError: if another process runs the sweep.
        RayError: if a folder for Ray's files cannot be made, or if the Ray at the address of the
            sweep, or one of its machines, cannot be used.
        SpecError: if no machine of that Ray has enough memory.
    """
    plan = launch.plan
    with launch.store.sweep(plan.name).lock:
        if launch.address is None:
            machine = this_machine()
            with placed(plan.name, available_cpus(), cpus) as place:
                live = live_trials(plan.trials, wanted_live(plan, place.cores), machine)
                yield Share(live, place.cores, place.others, place.ray_folder, machine)
            return
        begin = time.monotonic()
        with _attached(launch, launch.address, shield) as cluster:
            notes = _look_at_machines(launch, cluster)
            cores = min(cluster.cpus, cpus or cluster.cpus)
            placement = placement_of(plan.trials, cluster.nodes)
            live = placement.live(wanted_live(plan, cores), cluster.nodes)
            machine = placement.machine(cluster.nodes)
            took = time.monotonic() - begin
            yield Share(live, cores, (), None, machine, cluster, notes, cpus, took)


@contextmanager
def _attached(launch: Launch, address: str, shield: Shield) -> Iterator[Cluster]:
    with ExitStack() as stack:
        # Ray writes many lines of its own about an address at which it does not find what it needs.
        with output_to(launch.log):
            cluster = stack.enter_context(attached_ray(address, shield))
        yield cluster


def _look_at_machines(launch: Launch, cluster: Cluster) -> tuple[str, ...]:
    """Look whether all machines of a Ray can run the sweep.

    Returns:
        Notes for people.

    Raises:
        RayError: if one of them cannot.
        SpecError: if no machine has enough memory.
    """
    nodes = machines_there()
    preflight(launch.plan.trials, largest(nodes), launch.text, launch.source)
    with output_to(launch.log):
        findings = check_cluster(nodes, cluster.address, launch.store, launch.plan)
    return tuple(refuse_wrong(findings, cluster.address))


def run(
    launch: Launch,
    share: Share,
    view: View,
    *,
    retry_failed: bool = False,
    started: float | None = None,
    shield: Shield = handlers_kept,
) -> RunOutcome:
    """Run what is left of the sweep. What libraries print meanwhile goes to the log.

    Args:
        launch: the sweep.
        share: what the run may use of the machine; the context of `taken` must be open.
        view: shows the progress.
        retry_failed: whether trials that failed before are tried again.
        started: ``time.monotonic()`` at the start of the command; None for now.
        shield: the context for work that must not be interrupted (see
            `qhn.sweeps.driver.handlers`).

    Raises:
        DeviceError: if a queued device cannot be used. In this case nothing was started.
        StoreError: if the store or the log cannot be written.
        TrackingError: if the tracking store cannot be used. In this case no trial was started.
        RayError: if Ray cannot be started.
    """
    leave_a_deleted_folder(launch.log.parent)
    with output_to(launch.log) as terminal:
        notes = [*_say_where_mlflow_is(launch), *_look_at_queues(launch, share.cluster)]
        options = RunOptions(
            share.cores,
            share.machine,
            retry_failed,
            started,
            shield,
            share.ray_folder,
            share.cluster,
            share.most_cores,
            share.attach_seconds,
        )
        outcome = run_sweep(
            launch.plan,
            launch.text,
            launch.store,
            launch.location,
            lambda board: view(board, terminal),
            options,
        )
        return replace(outcome, notes=[*notes, *outcome.notes])


def _say_where_mlflow_is(launch: Launch) -> list[str]:
    """A note if other machines see the store, but not the runs in MLflow."""
    if not (launch.location.ours and is_elsewhere(launch.store)):
        return []
    return [
        f"MLflow's database is on this machine alone ({launch.location.database}); for one that "
        "all machines share, name a tracking server with --tracking-uri or MLFLOW_TRACKING_URI"
    ]


def _look_at_queues(launch: Launch, cluster: Cluster | None) -> list[str]:
    """Look at the queued devices that the sweep still needs, where the secrets are.

    Returns:
        Notes for people.

    Raises:
        DeviceError: if one of them cannot be used.
    """
    plan = launch.plan
    if not plan.lanes:
        return []
    over = outcomes(plan, launch.store).keys()
    left = [trial for trial in plan.trials if trial.trial_id not in over]
    nodes = [] if cluster is None else machines_there()
    return check_queues(plan, launch.store, left, nodes)


@contextmanager
def process_to_itself() -> Iterator[None]:
    """Make sure that only one sweep, and no other Ray, runs in this process.

    Raises:
        RayError: if the process has initialised Ray, or runs a sweep in another thread.
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
    # A program that has not imported Ray has not initialised it either, so there is no need to
    # import it here.
    ray = sys.modules.get("ray")
    # A process can be connected to only one Ray. To shut that one down would destroy the work of
    # the program that called us.
    if ray is not None and ray.is_initialized():
        raise RayError(
            "a sweep starts a Ray of its own, but this process is connected to one already, which "
            "is left as it is; call `ray.shutdown()` first if you are done with it, or run the "
            "sweep from another process (`qhn sweep run FILE`)"
        )


def trials_left_out(launch: Launch) -> int:
    """The number of finished trials that the sweep planned when it last ran, and does not now."""
    store, plan = launch.store, launch.plan
    try:
        before = stored_plan(store.sweep(plan.name))
    except QhnError:  # it never ran, or another version of qhn has written the file
        return 0
    now = {trial.trial_id for trial in plan.trials}
    return len(store.finished({trial.trial_id for trial in before.trials} - now))
