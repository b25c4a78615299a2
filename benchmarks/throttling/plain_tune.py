"""Runs a sweep file with plain Ray Tune, a slot per trial: what there is without lanes.

    python -m throttling.plain_tune FILE STORE ACCOUNT --slots N

The QPU is a custom resource of Ray, of which there is one for each job in flight. A trial on the
QPU holds one of them for its whole life. Everything else is as in a sweep: the same trials, which
are trained and stored by the same code, and processes that are used again for further trials. Tune
gets all trials at once, those of the QPU first. ACCOUNT is written as by `throttling.driver`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import (
    CheckpointConfig,
    PlacementGroupFactory,
    RunConfig,
    Trainable,
    TuneConfig,
    Tuner,
    grid_search,
    with_parameters,
    with_resources,
)

from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.driver.handlers import handlers_kept
from qhn.sweeps.driver.local_ray import available_cpus, local_ray
from qhn.sweeps.planning.machine import this_machine
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store, results_digest
from throttling.direct import DirectSampler

QPU = "qpu"
#: Tune checks other trials between two pieces of work of one.
_PIECE_S = 1.0


class Trial(Trainable):  # type: ignore[misc]
    """Trains one trial from its first job to its last."""

    def setup(self, config: Mapping[str, Any], *, store: str, file: str) -> None:
        from threadpoolctl import threadpool_limits

        from qhn.core.warmup import compile_all

        threadpool_limits(1)
        compile_all()
        self._store = open_store(store)
        plan = make_plan(parse_spec(file))
        self._lanes = {lane.name: lane for lane in plan.lanes}
        self._trials = {trial.trial_id: trial for trial in plan.trials}
        self._take(config)

    def _take(self, config: Mapping[str, Any]) -> None:
        trial = self._trials[config["id"]]
        self._config: TrialConfig = trial.config
        access = None
        if trial.lane is not None and trial.device_label is not None:
            label = trial.device_label
            access = self._lanes[trial.lane].access[label].placed("", label)
        self._device = trial.config.device.build().open(factory.ansatz(trial.config), access)
        self._sampler = None
        if access is not None:
            self._sampler = DirectSampler(self._device, access.provider, trial.trial_id)
        self._session: Any = None

    def step(self) -> dict[str, Any]:
        from qhn.sweeps.trial.session import TrialSession

        if self._session is None:
            problem = factory.problem(self._config)
            self._session = TrialSession(
                self._config, problem, self._device, self._store, self._sampler
            )
        done = self._session.work(_PIECE_S).finished
        if done:
            self._device.close()
        return {"done": done}

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        self._take(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("account", type=Path)
    parser.add_argument("--slots", type=int, required=True)
    options = parser.parse_args()
    text = options.file.read_text()
    plan = make_plan(parse_spec(text))
    trials = sorted(plan.trials, key=lambda trial: trial.lane is None)
    lane_of = {trial.trial_id: trial.lane or "simulator" for trial in trials}
    # The processes of Ray import what they need from here.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    cpus = available_cpus()
    with (
        tempfile.TemporaryDirectory(prefix="ray-") as folder,
        local_ray({"CPU": cpus, QPU: options.slots}, this_machine(), Path(folder), handlers_kept),
    ):
        began = time.time()
        bundles = {
            "simulator": PlacementGroupFactory([{"CPU": 1.0}]),
            QPU: PlacementGroupFactory([{"CPU": 0, QPU: 1.0}]),
        }

        def bundle_of(config: Mapping[str, Any]) -> PlacementGroupFactory:
            return bundles[config["lane"]]

        shown = {"store": str(options.store), "file": text}
        Tuner(
            with_resources(with_parameters(Trial, **shown), bundle_of),
            param_space=grid_search(
                [
                    {"id": trial, "lane": "simulator" if lane == "simulator" else QPU}
                    for trial, lane in lane_of.items()
                ]
            ),
            tune_config=TuneConfig(reuse_actors=True, trial_dirname_creator=str),
            run_config=RunConfig(
                name="trials",
                storage_path=str(options.account.parent / "tune"),
                verbose=0,
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    results = open_store(str(options.store)).outcomes(lane_of).results
    account = {
        "began": began,
        "lane_of": lane_of,
        "results_digest": results_digest(results.values()),
    }
    options.account.write_text(json.dumps(account))


if __name__ == "__main__":
    main()
