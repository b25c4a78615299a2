"""Trains one hypernetwork as a skilled user of PennyLane does: a QNode, its gradient, and Adam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pennylane as qml
from engines.base import Contender, FloatArray
from engines.qnodes import Adjoint

from handmade.reporting import Tables, measure
from qhn.core.ansatz import Ansatz
from qhn.core.estimators.angles import initial_angles
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig

Report = Callable[[dict[str, float], FloatArray], None]


@dataclass(frozen=True)
class Settings:
    """What one trial trains.

    Attributes:
        ansatz: the circuit.
        steps: the number of updates.
        report_every: the steps between two reports.
        learning_rate: of Adam.
        weight: λ of ELBO, and 0 for MLE.
        seed: the seed of the first angles, which are those of qhn.
    """

    ansatz: Ansatz
    steps: int
    report_every: int
    learning_rate: float
    weight: float
    seed: int

    @classmethod
    def of(cls, config: TrialConfig) -> Settings:
        """The settings of a trial of qhn."""
        training, weight = config.training, config.objective.lambda_
        return cls(
            ansatz=factory.ansatz(config),
            steps=training.steps,
            report_every=training.report_every or training.steps,
            learning_rate=training.learning_rate,
            weight=0.0 if weight is None else factory.schedule(weight).at(0, training.steps),
            seed=config.seed,
        )


def train(
    tables: Tables, settings: Settings, report: Report, qnode: Contender | None = None
) -> None:
    """Train one trial.

    Args:
        tables: what all trials share.
        settings: what is trained.
        report: called with the metrics and the angles of each report, at the steps of qhn.
        qnode: the way to distribution and gradient; None for the best one, see `engines.qnodes`.
    """
    qnode = qnode or Adjoint(settings.ansatz)
    rng = np.random.default_rng(settings.seed)
    optimiser = qml.AdamOptimizer(settings.learning_rate)
    angles = initial_angles(settings.ansatz, settings.seed)
    weight, steps = settings.weight / tables.points, settings.steps
    if not weight:
        # The observable of MLE is always the same, so the value comes with the gradient.
        qnode.fix_observable(tables.nll)
    for step in range(steps + 1):
        due = step % settings.report_every == 0 or step == steps
        q = qnode.probabilities(angles) if due or weight else None
        if weight:
            assert q is not None
            excess = np.log(np.maximum(q, 1e-300)) + settings.ansatz.n_qubits * np.log(2)
            value = float(q @ tables.nll + weight * (q @ excess))
            # The gradient of ELBO is that of the expectation of its derivative by q, held fixed.
            qnode.fix_observable(tables.nll + weight * (excess + 1))
            _, gradient = qnode.value_and_gradient(angles)
        else:
            value, gradient = qnode.value_and_gradient(angles)
        if due:
            assert q is not None
            metrics = {"objective": value, "lambda": settings.weight}
            metrics["gradient_norm"] = float(np.linalg.norm(gradient))
            report(metrics | measure(tables, q, rng), angles)
        if step < steps:
            tracked = qml.numpy.array(angles, requires_grad=True)
            (moved,) = optimiser.apply_grad((gradient,), (tracked,))
            angles = np.asarray(moved)
