"""Final angles and metrics of version f0fdd86: bit for bit on its processor, else to 1e-9."""

from __future__ import annotations

import json
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest

from qhn.core.engine.engine import Engine
from qhn.core.estimators.exact import ExactEstimator
from qhn.core.training.trainer import Trainer
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "angles.json").read_text())
FEATURES = llvmlite.binding.get_host_cpu_features()
# Compiled code is made for the processor: another one may add in another order.
SAME_PROCESSOR = GOLDEN["processor"] == llvmlite.binding.get_host_cpu_name() and GOLDEN[
    "features"
] == sorted(name for name, there in FEATURES.items() if there)


def trained(config):
    problem, ansatz = factory.problem(config), factory.ansatz(config)
    estimator = ExactEstimator(
        problem=problem,
        ansatz=ansatz,
        objective=factory.objective(config, problem),
        simulator=Engine(ansatz),
        seed=config.seed,
        best_of=config.training.best_of,
    )
    trainer = Trainer(
        estimator=estimator,
        schedule=factory.schedule(config.objective.lambda_),
        optimiser=factory.optimiser(config.training),
        seed=config.seed,
        steps=config.training.steps,
        report_every=config.training.report_every,
    )
    while not trainer.finished:
        trainer.advance()
    return trainer


@pytest.mark.parametrize("row", GOLDEN["trials"], ids=lambda row: str(row["content"]["seed"]))
def test_trainings_end_where_f0fdd86_ended(row):
    trainer = trained(TrialConfig.model_validate(row["content"]))
    angles = np.array([float.fromhex(value) for value in row["angles"]])
    metrics = {name: float.fromhex(value) for name, value in row["metrics"].items()}
    found = trainer.history.last()
    assert list(found)[: len(metrics)] == list(metrics)
    if SAME_PROCESSOR:
        assert np.array_equal(trainer.parameters.ravel(), angles)
        assert {name: found[name] for name in metrics} == metrics
    else:
        np.testing.assert_allclose(trainer.parameters.ravel(), angles, rtol=0, atol=1e-9)
        for name, value in metrics.items():
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9)
