"""Runs Ray Tune with trials that do nothing, with the same settings as a sweep."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from qhn.sweeps.driver.handlers import handlers_kept
from qhn.sweeps.driver.lane import lanes_of, simulator_lane
from qhn.sweeps.driver.local_ray import available_cpus, local_ray
from qhn.sweeps.driver.neighbours import placed
from qhn.sweeps.planning.machine import this_machine
from qhn.sweeps.planning.plan import Plan


def run_nothing(plan: Plan, folder: Path) -> dict[str, float]:
    """Run the trials of a plan without training, and return how long Ray took to start."""
    slots = available_cpus()
    lanes, lane_of = lanes_of(simulator_lane(slots))
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(sum(lane.most_alive for lane in lanes))
    begin = time.monotonic()
    with (
        placed("overhead-tune", slots, slots) as place,
        local_ray({"CPU": slots}, this_machine(), place.ray_folder, handlers_kept),
    ):
        from ray.tune import (
            CheckpointConfig,
            PlacementGroupFactory,
            RunConfig,
            Trainable,
            TuneConfig,
            Tuner,
            with_resources,
        )

        from qhn.sweeps.driver.emission import Emission
        from qhn.sweeps.driver.scheduler import PatientScheduler

        class Nothing(Trainable):  # type: ignore[misc]
            def step(self) -> dict[str, Any]:
                return {"done": True}

            def reset_config(self, new_config: dict[str, Any]) -> bool:
                return True

            def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
                return {}

            def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
                pass

        ray_start = time.monotonic() - begin
        bundles = {lane.name: PlacementGroupFactory([dict(lane.resources)]) for lane in lanes}
        Tuner(
            with_resources(Nothing, lambda config: bundles[config["lane"]]),
            tune_config=TuneConfig(
                search_alg=Emission(plan.trials, lane_of),
                scheduler=PatientScheduler({lane.name: lane.slots for lane in lanes}),
                num_samples=len(plan.trials),
                reuse_actors=True,
                trial_dirname_creator=str,
            ),
            run_config=RunConfig(
                name="trials",
                storage_path=str(folder / "tune"),
                verbose=0,
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    return {"ray_start_seconds": ray_start}
