"""Version f0fdd86's final angles and metrics, also from its checkpoints.

Bit for bit on the processor that they were recorded on, to 1e-9 on others.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest

from qhn.core.engine.engine import Engine
from qhn.core.estimators.exact import ExactEstimator
from qhn.core.metrics import ORIGINAL_NAMES
from qhn.core.training.trainer import Trainer
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig

FOLDER = Path(__file__).parents[2] / "golden"
GOLDEN = json.loads((FOLDER / "angles.json").read_text())
FEATURES = llvmlite.binding.get_host_cpu_features()
# Compiled code is made for the processor: another one may add in another order.
SAME_PROCESSOR = GOLDEN["processor"] == llvmlite.binding.get_host_cpu_name() and GOLDEN[
    "features"
] == sorted(name for name, there in FEATURES.items() if there)


def made(config):
    problem, ansatz = factory.problem(config), factory.ansatz(config)
    estimator = ExactEstimator(
        problem=problem,
        ansatz=ansatz,
        objective=factory.objective(config, problem),
        simulator=Engine(ansatz),
        seed=config.seed,
        best_of=config.training.best_of,
    )
    return Trainer(
        estimator=estimator,
        schedule=factory.schedule(config.objective.lambda_),
        optimiser=factory.optimiser(config.training),
        seed=config.seed,
        steps=config.training.steps,
        report_every=config.training.report_every,
    )


def check_angles(trainer, texts):
    angles = np.array([float.fromhex(text) for text in texts])
    if SAME_PROCESSOR:
        assert np.array_equal(trainer.parameters.ravel(), angles, equal_nan=True)
    np.testing.assert_allclose(trainer.parameters.ravel(), angles, rtol=0, atol=1e-9)


@pytest.mark.parametrize("row", GOLDEN["trials"], ids=lambda row: str(row["content"]["seed"]))
def test_trainings_end_where_f0fdd86_ended(row):
    trainer = made(TrialConfig.model_validate(row["content"]))
    while not trainer.finished:
        trainer.advance()
    check_angles(trainer, row["angles"])
    metrics = {name: float.fromhex(value) for name, value in row["metrics"].items()}
    found = trainer.history.last()
    assert list(found)[: len(metrics)] == list(metrics)
    if SAME_PROCESSOR:
        assert {name: found[name] for name in metrics} == metrics
    for name, value in metrics.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9)


def stored(trial_id, name):
    with zipfile.ZipFile(FOLDER / "store-f0fdd86.zip") as archive:
        return archive.read(f"store/{trial_id}/{name}")


@pytest.mark.parametrize(
    "sweep, trial_id",
    [("half", "1aef0b3a129eeb81"), ("diverged", "60a8d33c125dd1f0")],
)
def test_a_checkpoint_of_f0fdd86_goes_on_to_where_f0fdd86_ended(sweep, trial_id):
    ending = json.loads((FOLDER / "stored.json").read_text())[sweep]["trials"][trial_id]
    with np.load(io.BytesIO(stored(trial_id, "checkpoint.npz")), allow_pickle=False) as loaded:
        state = {name: array for name, array in loaded.items() if name != "notes"}
    trainer = made(TrialConfig.from_json(stored(trial_id, "config.json").decode()))
    trainer.restore(state)
    assert trainer.step == ending["step"] and trainer.history.names == ORIGINAL_NAMES
    while not trainer.finished:
        trainer.advance()
    check_angles(trainer, ending["angles"])
    assert trainer.diverged == (sweep == "diverged")
    before = trainer.history.to_array()[: len(state["history"])]
    assert np.array_equal(before, state["history"], equal_nan=True)
