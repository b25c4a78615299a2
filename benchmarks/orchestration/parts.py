"""Runs one part of a sweep alone: ``python -m orchestration.parts PART FILE FOLDER ACCOUNT``.

PART is ``alone``, ``mlflow`` or ``tune``, FILE is the sweep file, FOLDER is for files, and ACCOUNT
is the JSON file to which the measurements are written.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store, read_record

_PIECE_S = 1.0


def alone(plan: Plan, folder: Path) -> dict[str, float]:
    """Train every trial in this process, and keep it in a store, as an actor does.

    Imports, compiling and loss tables are not part of the time.
    """
    from threadpoolctl import threadpool_limits

    from qhn.core.evaluation.problem import Problem
    from qhn.core.warmup import compile_all
    from qhn.sweeps.config import factory
    from qhn.sweeps.trial.session import TrialSession

    threadpool_limits(1)
    compile_all()
    problems: dict[str, Problem] = {}
    for trial in plan.trials:
        if trial.config.problem_key not in problems:
            problems[trial.config.problem_key] = factory.problem(trial.config)
    store = open_store(str(folder / "alone"))
    begin, used = time.perf_counter(), time.process_time()
    for trial in plan.trials:
        config = trial.config
        with config.device.open(factory.ansatz(config)) as device:
            session = TrialSession(config, problems[config.problem_key], device, store)
            while not session.work(_PIECE_S).finished:
                pass
    return {
        "seconds": time.perf_counter() - begin,
        "processor_seconds": time.process_time() - used,
    }


def mlflow(plan: Plan, folder: Path) -> dict[str, float]:
    """Write the store of the sweep to a new database, with the same settings as the writer."""
    from qhn.sweeps.tracking import tracking_location
    from qhn.sweeps.tracking.opening import open_runs, settle

    store = open_store(str(folder / "store"))
    location = tracking_location(open_store(str(folder / "mlflow")))
    runs = open_runs(location, plan, lambda trial: read_record(store, trial.trial_id))
    settle()
    for trial in plan.trials:
        runs.project(trial, read_record(store, trial.trial_id))
    runs.close("FINISHED", {}, {})
    return {}


def tune(plan: Plan, folder: Path) -> dict[str, float]:
    """Let Ray Tune run every trial, where a trial does nothing."""
    from orchestration.tune_alone import run_nothing

    return run_nothing(plan, folder)


def main() -> None:
    part, file, folder, account = sys.argv[1:]
    plan = make_plan(parse_spec(Path(file).read_text()))
    parts: dict[str, Any] = {"alone": alone, "mlflow": mlflow, "tune": tune}
    said = parts[part](plan, Path(folder))
    Path(account).write_text(json.dumps({"trials": len(plan.trials), **said}))
    shutil.rmtree(Path(folder, part), ignore_errors=True)


if __name__ == "__main__":
    main()
