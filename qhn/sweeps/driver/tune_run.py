"""The part of a run that Ray Tune does: trials to actors, and their reports to the callback."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qhn.core.errors import QhnError
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.handlers import Shield
from qhn.sweeps.driver.lane import lanes_of
from qhn.sweeps.driver.local_ray import local_ray, tune_without_mlflow
from qhn.sweeps.driver.neighbours import placed
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.store import Store, TrialResult
from qhn.sweeps.tracking import WriterProcess


@dataclass(frozen=True)
class Work:
    """What is left of a sweep, and what the run of it needs.

    Attributes:
        plan: the whole sweep.
        todo: the trials that are left, in the order in which they run.
        over: results of the trials that were over before.
        slots: trials at once.
        machine: that runs them.
        store: where trials are kept.
        writer: brings MLflow up to date.
        board: what people look at.
        scratch: a local folder for Tune's own files, which nobody needs afterwards.
        stops: filled with the result of each trial that is stopped early, for the writer.
        heard: of each trial that may still be stopped early, the last step that this driver has
            heard of; kept up to date. Empty where the sweep stops no trials.
        shield: surrounds what must not be interrupted (see `qhn.sweeps.driver.handlers`).
        ray_folder: where Ray keeps its files; None for a place that is taken for this run alone.
    """

    plan: Plan
    todo: list[PlannedTrial]
    over: Mapping[str, TrialResult]
    slots: int
    machine: Machine
    store: Store
    writer: WriterProcess
    board: Board
    scratch: Path
    stops: dict[str, TrialResult]
    heard: dict[str, int]
    shield: Shield
    ray_folder: Path | None


@dataclass(frozen=True)
class Spent:
    """What a run spent.

    Attributes:
        training: seconds, summed over its trials.
        ray_start: seconds until Ray was there.
        complete: whether every trial was handed out and came to an end, well or not; False after
            a stop.
    """

    training: float = 0.0
    ray_start: float = 0.0
    complete: bool = True


def train(work: Work) -> Spent:
    """Run the trials that are left; how long that took.

    Raises:
        QhnError: the store, the tracking store or Ray cannot be used.
    """
    lanes, lane_of = lanes_of(work.slots)
    most_alive = sum(lane.most_alive for lane in lanes)
    # Before Ray starts, since its start changes it for everything that comes of it.
    umask = os.umask(0)
    os.umask(umask)
    work.board.phase = "starting Ray"
    begin = time.monotonic()
    with (
        _ray_folder(work) as ray_folder,
        local_ray(work.slots, most_alive, work.machine, ray_folder, work.shield),
    ):
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

            from qhn.sweeps.driver.callback import RESTARTS, DriverCallback
            from qhn.sweeps.driver.early_stopping import GroupedAsha
            from qhn.sweeps.driver.emission import Emission
            from qhn.sweeps.driver.scheduler import PatientScheduler
            from qhn.sweeps.driver.table_use import TableUse
            from qhn.sweeps.trial.actor import TrialActor
            from qhn.sweeps.trial.tables import start_tables

        ray_start = time.monotonic() - begin
        tables = start_tables(work.slots)
        use = TableUse(work.todo, tables, work.machine.object_store_bytes)
        # Only now, so that both start at once; and before any trial does.
        work.writer.wait_until_ready()
        for trial in work.todo:
            work.store.clear_error(trial.trial_id)
        rule = work.plan.early_stopping
        emission = Emission(
            work.todo,
            lane_of,
            None if rule is None else rule.metric,
            use.may_come,
            use.coming,
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
            emission.again,
            use.over,
        )
        slots = {lane.name: lane.slots for lane in lanes}
        actor = with_parameters(
            TrialActor, store_uri=work.store.uri, tables=tables, threads=1, umask=umask
        )
        bundles = {lane.name: PlacementGroupFactory([dict(lane.resources)]) for lane in lanes}

        def resources(config: Mapping[str, Any]) -> PlacementGroupFactory:
            return bundles[config["lane"]]

        tuner = Tuner(
            with_resources(actor, resources),
            tune_config=TuneConfig(
                search_alg=emission,
                scheduler=PatientScheduler(slots)
                if rule is None
                else GroupedAsha(rule, work.plan.trials, work.over, work.store, slots),
                num_samples=len(work.todo) * (1 + RESTARTS),
                reuse_actors=True,
                # Tune would name folders by the whole configuration.
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
            with tune_without_mlflow():
                tuner.fit()
        except Exception as error:
            own = _own_error(error)
            if own is None:
                raise
            raise own from error
        finally:
            # Ray's own record of the run is not needed: the store has everything.
            shutil.rmtree(work.scratch, ignore_errors=True)
        return Spent(callback.training_seconds, ray_start, emission.is_over)


@contextmanager
def _ray_folder(work: Work) -> Iterator[Path]:
    """The folder for Ray's files."""
    if work.ray_folder is not None:
        yield work.ray_folder
        return
    with placed(work.plan.name, work.slots, work.slots) as place:
        yield place.ray_folder


def _own_error(error: BaseException) -> QhnError | None:
    """The error of this package that Tune has wrapped, if it is one."""
    link: BaseException | None = error
    while link is not None and not isinstance(link, QhnError):
        link = link.__cause__ or link.__context__
    return link
