"""Writes the golden files of this folder, with the code of version f0fdd86 and no other.

They say what must stay: identities, plans, final angles, and a store with its MLflow database.

    git worktree add --detach OLD f0fdd86
    PYTHONPATH=OLD python tests/golden/record.py
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import llvmlite.binding
from qhn.sweeps.plan import make_plan  # type: ignore[import-not-found]

from qhn.sweeps.config import TrialConfig  # type: ignore[import-not-found]
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store

HERE = Path(__file__).parent
PLACEHOLDER = "@STORE@"

DATASETS = [
    {"name": "gaussian"},
    {"name": "moons"},
    {"name": "ring"},
    {"name": "digits"},
    {"name": "gaussian", "train": 50, "test": 200, "seed": 7},
    {"name": "moons", "noise": 0.25, "seed": 1},
    {"name": "moons", "noise": 0.0, "train": 30},
    {"name": "ring", "noise": 0.2, "test": 500},
    {"name": "digits", "train": 60, "test": 100, "seed": 2},
    {"name": "digits", "train": 200},
]
NETWORKS = [
    {"kind": "mlp"},
    {"kind": "mlp", "hidden": 1},
    {"kind": "mlp", "hidden": 4},
    {"kind": "logistic"},
]
ANSATZE = [
    {"entangler": "brickwork"},
    {"entangler": "brickwork", "depth": 4, "entanglers_first": False},
    {"entangler": "chain"},
    {"entangler": "chain", "depth": 1, "entanglers_first": True},
    {"entangler": "ring", "depth": 3},
    {"entangler": "ring", "entanglers_first": True},
]
SCHEDULES = [
    {"schedule": "constant", "value": 1},
    {"schedule": "constant", "value": 0},
    {"schedule": "warmup", "value": 3},
    {"schedule": "warmup", "value": 3, "start": 0.5, "over": 0.25},
    {"schedule": "exponential", "start": 30, "end": 0.3},
    {"schedule": "exponential", "start": 30, "end": 0.3, "over": 0.5},
    {"schedule": "cosine", "start": 10, "end": 0},
    {"schedule": "cyclic", "low": 0.1, "high": 3},
    {"schedule": "cyclic", "low": 0, "high": 3, "cycles": 2},
]
SELBO = {"name": "selbo", "lambda": SCHEDULES[0], "bandwidth": 3.5}
OBJECTIVES = [
    {"name": "mle"},
    {"name": "mle", "lambda": SCHEDULES[0], "bandwidth": 2.0, "prior_samples": 8},
    *({"name": "elbo", "lambda": schedule} for schedule in SCHEDULES),
    {"name": "elbo", "lambda": SCHEDULES[0], "bandwidth": 2.0},
    SELBO,
    {**SELBO, "bandwidth": 0.75},
    {**SELBO, "prior_samples": 64},
    {**SELBO, "lambda": SCHEDULES[4], "prior_samples": 16384},
]
TRAININGS = [
    {"steps": 1},
    {"steps": 1000},
    {"steps": 20_000},
    {"optimiser": "sgd"},
    {"optimiser": "sgd", "learning_rate": 0.5},
    {"learning_rate": 1e-3},
    {"report_every": 7},
    {"report_every": 10_000},
    {"best_of": 1},
]
STOPPINGS = [
    {"kind": "asha"},
    {"kind": "asha", "metric": "train_accuracy_mode", "grace_steps": 20, "reduction_factor": 2},
]
BASE = {"dataset": {"name": "moons"}, "objective": SELBO, "seed": 3}


def configurations() -> list[dict]:
    """Fifty of them, which between them give every setting every kind of value."""
    found = [
        *({**BASE, "dataset": part} for part in DATASETS),
        *({**BASE, "network": part} for part in NETWORKS),
        *({**BASE, "ansatz": part} for part in ANSATZE),
        *({**BASE, "objective": part} for part in OBJECTIVES),
        *({**BASE, "training": part} for part in TRAININGS),
        *({**BASE, "early_stopping": part} for part in STOPPINGS),
        {**BASE, "device": {"name": "exact"}, "seed": 0},
        {**BASE, "seed": 2**63 - 1},
        {
            "version": 1,
            "dataset": DATASETS[9],
            "network": NETWORKS[3],
            "ansatz": ANSATZE[4],
            "objective": OBJECTIVES[14],
            "training": {**TRAININGS[6], "steps": 77, "optimiser": "sgd", "best_of": 3},
            "seed": 12345,
        },
    ]
    assert len(found) == 50, len(found)
    return found


def record_identities() -> list[dict]:
    """Id, group, problem and canonical JSON of each; early stopping is the sweep's."""
    rows = []
    for content in configurations():
        made = TrialConfig.model_validate(content)
        whole = made.model_copy(update={"early_stopping": None})
        rows.append(
            {
                "content": content,
                "json": whole.to_json(),
                "trial_id": whole.trial_id,
                "former_id": made.trial_id,
                "group_id": made.group_id,
                "problem_key": made.problem_key,
            }
        )
    return rows


SWEEPS = {
    "grid": """
name: grid
datasets: [gaussian, {name: moons, noise: 0.2, train: 100, test: 1000, seed: 1}]
networks: [{kind: mlp, hidden: 3}, logistic]
ansatze: [brickwork, {entangler: chain, depth: 1}]
objectives:
  - mle
  - name: elbo
    lambda: [1, {schedule: exponential, start: 30, end: 0.3, over: 0.8}]
  - name: selbo
    lambda: [30, 100]
    bandwidth: [n/4, 2.0, sqrt(n), median]
    prior_samples: [closed form, 64]
seeds: {first: 20, count: 2}
training: {steps: 250, optimiser: adam, learning_rate: [0.1, 0.05], report_every: 10, best_of: 64}
""",
    "random": """
name: random
datasets: [ring]
networks: [{hidden: 2}, {hidden: 3}]
objectives:
  - mle
  - {name: elbo, lambda: [{distribution: loguniform, low: 0.1, high: 10}, 1]}
  - name: selbo
    lambda: [{distribution: choice, values: [1, {schedule: cosine, start: 3, end: 0}]}]
    bandwidth: [{distribution: uniform, low: 1, high: 5}, n/4]
    prior_samples: [closed form, 32]
seeds: [5, 1]
training: {learning_rate: [{distribution: loguniform, low: 0.01, high: 0.3}]}
search: {kind: random, draws: 12, seed: 4}
""",
    "raced": """
name: raced
datasets: [moons, digits]
networks: [logistic]
objectives: [{name: elbo, lambda: [0.1, 1, 300]}, mle]
seeds: 2
training: {steps: 120}
early_stopping: {kind: asha, grace_steps: 20, reduction_factor: 2}
""",
}


def record_plans() -> dict[str, dict]:
    plans = {}
    for name, text in SWEEPS.items():
        trials = make_plan(parse_spec(text)).trials
        # The id is that which f0fdd86 gives, with early stopping in it where the sweep has it.
        rows = [f"{t.trial_id} {t.group_id} {t.label}" for t in trials]
        plans[name] = {"text": text, "trials": rows}
    return plans


# The store that old users have: one sweep half-way, one that was extended and raced, one diverged.
STORED = {
    "half": """# a sweep that was killed
name: half
datasets: [moons]
networks: [{hidden: 2}]
objectives: [mle, {name: elbo, lambda: 1}, {name: selbo, lambda: 30, prior_samples: 16}]
seeds: 3
training: {steps: 30000, report_every: 500}
""",
    "raced": """name: raced
datasets: [moons]
networks: [{hidden: 2}]
objectives: [{name: elbo, lambda: [0.1, 1, 300, 1000]}]
seeds: 3
training: {steps: 20000, report_every: 250}
early_stopping: {kind: asha, grace_steps: 2000, reduction_factor: 2}
""",
    "diverged": """name: diverged
datasets: [ring]
networks: [{hidden: 1}]
objectives: [mle]
seeds: 2
training: {steps: 20, learning_rate: [0.1, 1.0e+308]}
""",
}
ANGLES = [
    {"dataset": {"name": "moons"}, "objective": {"name": "mle"}, "seed": 1},
    {
        "dataset": {"name": "ring"},
        "objective": {"name": "elbo", "lambda": SCHEDULES[4]},
        "ansatz": {"entangler": "ring", "depth": 3},
        "seed": 2,
    },
    {
        "dataset": {"name": "gaussian", "train": 50},
        "objective": {**SELBO, "prior_samples": 64},
        "ansatz": {"entangler": "chain"},
        "training": {"steps": 60, "optimiser": "sgd", "learning_rate": 0.5},
        "seed": 3,
    },
    {
        "dataset": {"name": "digits"},
        "network": {"kind": "logistic"},
        "objective": {**SELBO, "lambda": SCHEDULES[6]},
        "training": {"steps": 30, "report_every": 7},
        "seed": 4,
    },
    {
        "dataset": {"name": "moons", "train": 20, "test": 20},
        "network": {"kind": "mlp", "hidden": 1},
        "objective": {"name": "elbo", "lambda": SCHEDULES[8]},
        "ansatz": {"entangler": "brickwork", "depth": 4, "entanglers_first": False},
        "training": {"steps": 100, "best_of": 3},
        "seed": 5,
    },
]


def record_angles() -> dict:
    from qhn.sweeps.running.session import TrialSession  # type: ignore[import-not-found]

    from qhn.devices import open_device
    from qhn.sweeps import build  # type: ignore[import-not-found]

    rows = []
    for content in ANGLES:
        config = TrialConfig.model_validate(content)
        session = TrialSession(
            config, build.problem(config), open_device("exact", build.ansatz(config)), None
        )
        while not session.work(1.0).finished:
            pass
        rows.append(
            {
                "content": content,
                "angles": [value.hex() for value in session.trainer.parameters.ravel().tolist()],
                "metrics": {k: v.hex() for k, v in session.trainer.history.last().items()},
            }
        )
    features = llvmlite.binding.get_host_cpu_features()
    return {
        "processor": llvmlite.binding.get_host_cpu_name(),
        "features": sorted(name for name, there in features.items() if there),
        "trials": rows,
    }


def run(store: Path, file: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "qhn.cli", "sweep", "run", str(file), "--store", str(store)]
    return subprocess.Popen([*command, *options])


def record_store() -> dict:
    """Make the store, kill what is to be killed, and pack it; what undisturbed runs end with."""
    folder = Path(tempfile.mkdtemp())
    store, whole = folder / "store", folder / "whole"
    found: dict[str, dict] = {}
    for name, text in STORED.items():
        file = folder / f"{name}.yaml"
        file.write_text(text)
        ids = [trial.trial_id for trial in make_plan(parse_spec(text)).trials]
        opened = open_store(str(store))
        driver = run(store, file, "--cpus", "2")
        if name == "half":
            while len(opened.finished(ids)) < 3:
                time.sleep(0.01)
            driver.send_signal(signal.SIGKILL)
        elif name == "raced":
            while sum(r.status == "stopped" for i in ids if (r := opened.result(i))) < 3:
                time.sleep(0.01)
            driver.send_signal(signal.SIGINT)
        driver.wait()
        time.sleep(5)  # orphans of a killed driver
        summary = folder / "summary.json"
        run(whole, file, "--cpus", "2", "--summary", str(summary)).wait()
        reference = open_store(str(whole))
        found[name] = {
            "text": text,
            "digest": json.loads(summary.read_text())["results_digest"],
            "trials": {
                i: {
                    "then": r.status if (r := opened.result(i)) else None,
                    "step": int(c["step"]) if (c := opened.checkpoint(i)) else None,
                    "angles": [
                        v.hex() for v in reference.checkpoint(i)["parameters"].ravel().tolist()
                    ],
                }
                for i in ids
            },
        }
    with sqlite3.connect(store / "mlflow.db") as database:
        dump = "\n".join(database.iterdump()).replace(str(store), PLACEHOLDER)
    target = HERE / "store-f0fdd86.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("mlflow.sql", dump)
        for path in sorted(store.rglob("*")):
            inside = path.relative_to(store)
            if path.is_file() and "mlflow.db" not in path.name and "logs" not in inside.parts:
                archive.write(path, str(Path("store", inside)))
    shutil.rmtree(folder)
    return found


def write(name: str, content: object) -> None:
    (HERE / name).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write("identities.json", record_identities())
    write("plans.json", record_plans())
    write("angles.json", record_angles())
    write("stored.json", record_store())
