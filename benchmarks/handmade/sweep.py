"""Runs a sweep with Ray Tune, PennyLane and Ray's callback for MLflow.

    python -m handmade.sweep FILE FOLDER ACCOUNT --trials N --slots N [--reuse]

FILE is a sweep file of qhn, of which every second trial is MLE and every second one ELBO. ACCOUNT
is the JSON file to which the measurements are written.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from qhn.sweeps.config import factory
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
_NAME = "by-hand"


def trial(config: dict[str, Any], tables: Any, settings: Any) -> None:
    """The function trainable: train, and report to Tune."""
    from ray import tune

    from handmade.training import train

    weight = 1.0 if config["objective"] == "elbo" else 0.0
    chosen = replace(settings, seed=config["seed"], weight=weight)
    train(tables, chosen, lambda metrics, angles: tune.report(metrics))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("account", type=Path)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--reuse", action="store_true")
    options = parser.parse_args()
    # The processes of Ray import what they need from here.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    begin = time.monotonic()
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    # Without its dashboard Ray starts faster.
    ray.init(address="local", num_cpus=options.slots, include_dashboard=False, log_to_driver=False)
    ray_start = time.monotonic() - begin
    from handmade.reporting import Tables
    from handmade.training import Settings

    ends: list[float] = []

    class Ends(tune.Callback):  # type: ignore[misc]
        """Notes when trials end."""

        def on_trial_complete(self, *args: Any, **info: Any) -> None:
            ends.append(time.monotonic())

    plan = make_plan(parse_spec(options.file.read_text()))
    one = plan.trials[0].config
    shared = {
        # A favour: with NumPy alone the tables would take longer.
        "tables": Tables.of(factory.problem(one)),
        # Not in the search space, because Ray's callback writes each number in it with each report.
        "settings": Settings.of(one),
    }
    space = {
        "seed": tune.grid_search(list(range(options.trials // 2))),
        "objective": tune.grid_search(["mle", "elbo"]),
    }
    results = tune.Tuner(
        tune.with_resources(tune.with_parameters(trial, **shared), {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(reuse_actors=options.reuse),
        run_config=tune.RunConfig(
            name=_NAME,
            storage_path=str(options.folder / "tune"),
            verbose=0,
            callbacks=[
                Ends(),
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{options.folder}/mlflow.db", experiment_name=_NAME
                ),
            ],
        ),
    ).fit()
    if results.errors:
        raise SystemExit(str(results.errors[0]))
    account = {
        "ray_start_seconds": ray_start,
        "ends": ends,
    }
    options.account.write_text(json.dumps(account))
    ray.shutdown()


if __name__ == "__main__":
    main()
