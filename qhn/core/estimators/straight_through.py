"""The control ``straight_through``: one binary network that is trained by gradients.

Real weights v in [−1, 1] stand behind the binary weights sign(v). The gradient of the training loss
is taken at the binary weights and applied to v, as if the sign were not there: the straight-through
estimator (Bengio, Léonard, Courville, arXiv 1308.3432), with weights that are clipped as in
BinaryConnect (Courbariaux, Bengio, David, arXiv 1511.00363).
"""

from __future__ import annotations

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.arrays import ArrayState, FloatArray
from qhn.core.errors import InvalidValueError
from qhn.core.estimators.control import ControlEstimator
from qhn.core.evaluation.problem import Problem
from qhn.core.networks.relaxed import relaxed_loss
from qhn.core.seeds import Purpose, stream

_KEY = "control_latent"
#: A loss with its gradient takes about as long as so many losses.
EVALUATIONS_OF_A_GRADIENT = 3


class StraightThroughEstimator(ControlEstimator):
    """An `Estimator` that trains one binary network with the straight-through estimator.

    A gradient counts as three evaluations, so that each step makes ``evaluations / 3`` updates, and
    at least one. The first weights are drawn uniformly from [−1, 1], from the seed.

    Args:
        problem: data and loss table.
        ansatz: any circuit for the problem; its angles are not used.
        seed: the trial's seed.
        steps: the steps of the training.
        evaluations: the number of networks that each step of the other controls looks at.
        learning_rate: by how much the gradient moves the real weights.

    Raises:
        InvalidValueError: if the sizes do not fit, or a count is not a whole number from 1 on.
    """

    def __init__(
        self,
        *,
        problem: Problem,
        ansatz: Ansatz,
        seed: int,
        steps: int,
        evaluations: int,
        learning_rate: float,
    ) -> None:
        super().__init__(
            kind="straight_through",
            problem=problem,
            ansatz=ansatz,
            seed=seed,
            steps=steps,
            evaluations=evaluations,
        )
        self._learning_rate = learning_rate
        self._updates = max(1, evaluations // EVALUATIONS_OF_A_GRADIENT)
        self._latent: FloatArray = stream(seed, Purpose.CONTROL, 0).uniform(
            -1.0, 1.0, problem.n_qubits
        )

    def _look(self, step: int) -> None:
        data = self._problem.dataset
        places = 1 << np.arange(self._problem.n_qubits - 1, -1, -1)
        for _ in range(self._updates):
            bits = self._latent > 0
            self._take(np.array([int(places[bits].sum())]))
            weights = np.where(bits, 1.0, -1.0)
            _, gradient = relaxed_loss(self._problem.network, weights, data.x_train, data.y_train)
            self._latent = np.clip(self._latent - self._learning_rate * gradient, -1.0, 1.0)

    def state(self) -> ArrayState:
        """Also the real weights, as ``control_latent``."""
        return {**super().state(), _KEY: self._latent.copy()}

    def restore(self, state: ArrayState) -> None:
        """See `Estimator.restore`."""
        latent = state.get(_KEY)
        if latent is None or latent.shape != self._latent.shape or not np.isfinite(latent).all():
            raise InvalidValueError(
                f"the state of a control must hold {_KEY}, {len(self._latent)} finite numbers"
            )
        super().restore({name: array for name, array in state.items() if name != _KEY})
        self._latent = np.asarray(latent, dtype=np.float64).copy()
