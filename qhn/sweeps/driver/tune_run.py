"""The part of a run that Ray Tune does: it gives trials to actors, and their reports to us."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qhn.core.errors import QhnError
from qhn.sweeps.driver.attached_ray import Cluster
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.elastic import Elastic, LiveNow
from qhn.sweeps.driver.families import Families
from qhn.sweeps.driver.handlers import Shield
from qhn.sweeps.driver.lane import Lane, lanes_of, queued_lane, resource_of, simulator_lane
from qhn.sweeps.driver.live import Live
from qhn.sweeps.driver.local_ray import local_ray, tune_without_mlflow, tune_without_variables
from qhn.sweeps.driver.neighbours import placed
from qhn.sweeps.driver.placement import Placement
from qhn.sweeps.driver.tables_place import place_tables, tables_at_once
from qhn.sweeps.driver.tickets import Tickets
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.store import Store, TrialResult
from qhn.sweeps.tracking import WriterProcess

_NO_LIMIT = 10**6


@dataclass(frozen=True)
class Work:
    """What is left of a sweep, and what is needed to run it.

    Attributes:
        plan: the plan of the whole sweep.
        todo: the trials that are left, in the order in which they run.
        over: the results of the trials that ended before, by trial id.
        live: how many trials of each lane run at once.
        machine: the memory of the machine.
        store: where trials are kept.
        writer: the process that writes to MLflow.
        board: the progress that people see.
        scratch: a local folder for Tune's own files, which is deleted at the end.
        stops: gets the result of each trial that is stopped early, by trial id, for the writer.
        heard: the last step that this driver has heard of, by trial id, of each trial that may
            still be stopped early. It is kept up to date. Empty if the sweep stops no trials.
        shield: the context for work that must not be interrupted (see
            `qhn.sweeps.driver.handlers`).
        ray_folder: the folder for Ray's files; None to make one for this run.
        cluster: the Ray to which this process is connected; None to start one for this run.
        placement: what that Ray reserves for each trial; None for a Ray of this run, which has
            exactly as many slots as trials fit into its memory.
        live_now: looks at that Ray again, and returns it as it is now, and how many trials of each
            lane can be alive; None for a Ray of this run, which does not change.
    """

    plan: Plan
    todo: list[PlannedTrial]
    over: Mapping[str, TrialResult]
    live: Live
    machine: Machine
    store: Store
    writer: WriterProcess
    board: Board
    scratch: Path
    stops: dict[str, TrialResult]
    heard: dict[str, int]
    shield: Shield
    ray_folder: Path | None
    cluster: Cluster | None = None
    placement: Placement | None = None
    live_now: LiveNow | None = None


@dataclass(frozen=True)
class Spent:
    """What a run took.

    Attributes:
        training: seconds of training, summed over its trials.
        ray_start: seconds until Ray had started.
        complete: whether every trial was handed out and has ended, with a result or an error. It
            is False if the run was stopped.
    """

    training: float = 0.0
    ray_start: float = 0.0
    complete: bool = True


def train(work: Work) -> Spent:
    """Run the trials that are left, and return how long that took.

    Raises:
        StoreError: if the store cannot be used.
        TrackingError: if the tracking store cannot be used.
        RayError: if Ray cannot be started.
    """
    simulators, queued = _lanes(work, work.cluster, work.live)
    simulated = simulators.slots
    lanes, lane_of = lanes_of(simulators, queued.items())
    families = Families(work.todo, work.over.keys())
    tickets = Tickets(work.plan, work.store)
    # When trials come from a searcher, Tune prepares only one of them at a time. A process that
    # becomes free would then find no trial waiting, and Tune would end it. The emission alone says
    # how many are prepared, because Tune reads this once, and machines may join later.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(_NO_LIMIT)
    # The umask is read now, because `local_ray` changes it while Ray starts and all of Ray's
    # processes inherit that. It can only be read by setting it.
    umask = os.umask(0)
    os.umask(umask)
    work.board.phase = "starting Ray"
    begin = time.monotonic()
    with _ray(work, simulated, queued):
        with work.shield():
            from ray.tune import (
                CheckpointConfig,
                PlacementGroupFactory,
                RunConfig,
                TuneConfig,
                Tuner,
                with_parameters,
                with_resources,
            )

            from qhn.sweeps.driver.callback import DriverCallback
            from qhn.sweeps.driver.draining import draining_ray
            from qhn.sweeps.driver.early_stopping import GroupedAsha
            from qhn.sweeps.driver.emission import Emission
            from qhn.sweeps.driver.scheduler import PatientScheduler
            from qhn.sweeps.driver.table_use import TableUse
            from qhn.sweeps.trial.actor import TrialActor
            from qhn.sweeps.trial.answering import answer_seconds
            from qhn.sweeps.trial.tables import start_tables

        ray_start = time.monotonic() - begin
        at_once, options = _for_tables(work, simulated)
        tables = start_tables(at_once, work.store.uri, options)
        use = TableUse(work.todo, tables, work.machine.object_store_bytes)
        # The writer was started before Ray, so that both start at the same time. It must be ready
        # before the first trial: if the tracking store cannot be used, nothing is trained.
        work.writer.wait_until_ready()
        work.store.clear_errors(trial.trial_id for trial in work.todo)
        rule = work.plan.early_stopping
        answer_s = answer_seconds(sum(lane.slots for lane in lanes))

        def config_of(trial: PlannedTrial) -> Mapping[str, Any]:
            # A trial from which others start is never stopped early: they need its whole training.
            races = rule is not None and not families.has_children(trial)
            score = rule.metric if rule is not None and races else None
            return {"score": score, "ticket": tickets.of(trial), "answer_s": answer_s}

        emission = Emission(
            work.todo,
            lane_of,
            config_of,
            may_begin=families.may_begin,
            changes=families.changes,
            may_come=use.may_come,
            coming=use.coming,
        )
        callback = DriverCallback(
            work.todo,
            work.store,
            work.plan.name,
            None if rule is None else rule.content(),
            work.stops,
            work.heard,
            work.writer,
            work.board,
            emission,
            use.over,
            families,
            work.plan.time_limit,
        )
        slots = {one.name: one.slots for lane in lanes for one in (lane, lane.roomy)}
        scheduler = (
            PatientScheduler(slots)
            if rule is None
            else GroupedAsha(rule, work.plan.trials, work.over, work.store, slots)
        )
        if work.live_now is not None:
            elastic = Elastic(work.live_now, partial(_lanes_now, work), [emission, scheduler])
            callback.watch(elastic, draining_ray(tables))
        actor = with_parameters(
            TrialActor, store_uri=work.store.uri, tables=tables, threads=1, umask=umask
        )
        reserved = {one.name: one.resources for lane in lanes for one in (lane, lane.roomy)}

        def resources_of(config: Mapping[str, Any]) -> PlacementGroupFactory:
            more = {"memory": config["memory"]} if "memory" in config else {}
            return PlacementGroupFactory([{**reserved[config["lane"]], **more}])

        tuner = Tuner(
            with_resources(actor, resources_of),
            tune_config=TuneConfig(
                search_alg=emission,
                scheduler=scheduler,
                # The emission says when there is nothing more to run. Where machines come and go, a
                # trial may be started again any number of times.
                num_samples=-1,
                # A process takes seconds to start, and most trials take less.
                reuse_actors=True,
                # By default Tune names the folder of a trial after its whole configuration.
                trial_dirname_creator=str,
            ),
            run_config=RunConfig(
                name="trials",
                storage_path=str(work.scratch),
                callbacks=[callback],
                verbose=0,
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        work.board.phase = "starting trials (a new machine compiles the engine first)"
        try:
            with tune_without_mlflow(), tune_without_variables():
                tuner.fit()
            callback.finish()
        except Exception as error:
            own = _own_error(error)
            if own is None:
                raise
            raise own from error
        finally:
            # Tune's own record of the run is not needed, because the store has everything.
            shutil.rmtree(work.scratch, ignore_errors=True)
        return Spent(callback.training_seconds, ray_start, emission.is_over)


def _lanes(work: Work, cluster: Cluster | None, live: Live) -> tuple[Lane, dict[str, Lane]]:
    """The lane of simulated trials, and those of queued devices by their names in the sweep file.

    Args:
        work: what is left of the sweep.
        cluster: the Ray to which this process is connected, as it is now; None for its own.
        live: how many trials of each lane can be alive at once.
    """
    # A sweep without simulated trials needs a CPU nevertheless: Ray does not start without one.
    simulated = max(1, live.simulated)
    queued, placement = live.queued(), work.placement
    if cluster is None or placement is None:
        return simulator_lane(simulated), {name: queued_lane(name, n) for name, n in queued.items()}
    # This driver may want fewer slots than there are. Trials of other drivers do not count: those
    # of this one wait for them in Ray.
    bounded = live.wanted.get(None, 0) >= placement.room(cluster.nodes, None)
    simulators = simulator_lane(simulated, placement.resources.get(None), bounded=bounded)
    return simulators, {
        name: queued_lane(
            name, number, placement.resources[name], bounded=placement.is_bound_to(name)
        )
        for name, number in queued.items()
    }


def _lanes_now(work: Work, cluster: Cluster, live: Live) -> list[Lane]:
    """All lanes, for a Ray that has changed."""
    simulators, queued = _lanes(work, cluster, live)
    return [simulators, *queued.values()]


def _for_tables(work: Work, simulated: int) -> tuple[int, Mapping[str, Any]]:
    """How many tables may be made at the same time, and where Ray starts the process for it."""
    if work.cluster is None or work.placement is None:
        return simulated, {}
    nodes = work.cluster.nodes
    at_once = tables_at_once(nodes, work.placement, simulated)
    return at_once, place_tables(work.todo, nodes, work.placement, at_once)


@contextmanager
def _ray(work: Work, simulated: int, queued: Mapping[str, Lane]) -> Iterator[None]:
    """The Ray to which this process is connected; if there is none, one that is started here."""
    if work.cluster is not None:
        yield
        return
    resources = {"CPU": simulated}
    resources |= {resource_of(name): lane.slots for name, lane in queued.items()}
    with ExitStack() as stack:
        folder = work.ray_folder
        if folder is None:
            place = stack.enter_context(placed(work.plan.name, simulated, simulated))
            folder = place.ray_folder
        stack.enter_context(local_ray(resources, work.machine, folder, work.shield))
        yield


def _own_error(error: BaseException) -> QhnError | None:
    """The error of qhn that Tune has wrapped into another one; None if there is none."""
    link: BaseException | None = error
    while link is not None and not isinstance(link, QhnError):
        link = link.__cause__ or link.__context__
    return link
