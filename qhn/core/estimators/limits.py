"""What the failure signatures of a training are compared with, from tables or without them."""

from __future__ import annotations

import math

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.bits import bits
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.estimator import Limits
from qhn.core.evaluation.problem import Problem
from qhn.core.evaluation.strings import score_strings
from qhn.core.evaluation.task import Task
from qhn.core.seeds import Purpose, stream

# If all networks are equally good, the gradient is 0 except for rounding errors of this relative
# size.
_ROUNDING = 1e-12
# From how many networks chance is estimated where there is no table. Its standard error is 0.008 at
# most, and a training counts as at chance within 0.05.
_DRAWN_NETWORKS = 2**12


def limits_of(task: Task, ansatz: Ansatz) -> Limits:
    """The limits for a task and a circuit: exact if the task has tables.

    Without tables, the gradient has a bound in place of its largest norm, from the largest logits
    that any network of the family can have. Chance is the mean over some thousand networks, always
    the same ones.

    Raises:
        InvalidValueError: if the circuit does not have one qubit for each bit of the network.
    """
    if ansatz.n_qubits != task.n_qubits:
        raise InvalidValueError(
            f"the circuit must have one qubit per network bit, but got {ansatz.n_qubits} "
            f"qubits for {task.n_qubits} bits"
        )
    if isinstance(task, Problem):
        spread = float(task.nll.max() - task.nll.min())
        largest = float(np.abs(task.nll).max())
        chance = float(task.train_accuracy.mean())
    else:
        # The loss of a point with a logit z is softplus(z) or softplus(−z), which differ by z.
        largest = spread = float(task.network.largest_logits(task.dataset.x_train).mean())
        chance = _estimated_chance(task)
    return Limits(
        gradient=(spread / 2 + _ROUNDING * largest) * math.sqrt(ansatz.n_parameters),
        prior_entropy=task.n_qubits * math.log(2),
        chance=chance,
    )


def _estimated_chance(task: Task) -> float:
    rng = stream(0, Purpose.PRIOR_SAMPLES)
    drawn = rng.integers(1 << task.n_qubits, size=_DRAWN_NETWORKS, dtype=np.int64)
    data = task.dataset
    found = score_strings(task.network, bits(drawn, task.n_qubits), data.x_train, data.y_train)
    return float(found.accuracy.mean())
