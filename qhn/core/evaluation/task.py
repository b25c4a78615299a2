"""What is to be learned: a dataset and a family of networks, without any table over them."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.core.data.datasets import Dataset
from qhn.core.networks import BinaryNetwork

#: The largest number of qubits for which training from samples uses arrays over all 2^N outcomes.
#: Beyond that they take longer to make than a training, and in the end do not fit into memory.
MAX_TABLE_QUBITS = 20


@dataclass(frozen=True, eq=False)
class Task:
    """The points and the networks. It is enough to train from samples, on any number of qubits.

    Attributes:
        dataset: the training and test points.
        network: the family of networks. Its N bits are the N qubits of the circuit.
    """

    dataset: Dataset
    network: BinaryNetwork

    @property
    def n_qubits(self) -> int:
        """N, the number of binary parameters of a network."""
        return self.network.n_qubits

    @property
    def n_train(self) -> int:
        """The number n of training points, by which objectives divide λ."""
        return len(self.dataset.y_train)
