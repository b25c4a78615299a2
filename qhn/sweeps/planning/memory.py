"""Memory that trials need, said before anything is built: their own, and the tables they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from qhn.sweeps.config.sections import AnsatzConfig, DatasetConfig, NetworkConfig
from qhn.sweeps.config.trial import TrialConfig

#: Arrays of 2^N doubles that training holds: the engine's states and the objective's buffers.
TRAINING_ARRAYS = 8
_SMALL_OBJECTS = 2**16
#: Circuits of fewer qubits take as much.
_MIN_QUBITS = 7
#: Angle-shaped arrays: parameters, gradient and the optimiser's two moments, with room to spare.
_ANGLE_ARRAYS = 8
#: With more qubits than this the sizes themselves are too large to compute with.
MAX_QUBITS = 60
#: The size that stands for all of those: 1,024 EiB, more than any machine has.
TOO_MUCH = 2**70

#: Data set and network: what trials must have in common to share one table.
ProblemConfig = tuple[DatasetConfig, NetworkConfig]


class Memory(NamedTuple):
    """Memory of a sweep's trials, in bytes.

    Attributes:
        trial: of the largest single trial beside what trials share.
        shared: of the loss tables and data that live together, where they are most.
    """

    trial: int
    shared: int

    def trials_at_once(self, available: int) -> int:
        """How many of the largest trial fit beside the tables; one even if none does."""
        return max(1, (available - self.shared) // max(1, self.trial))


def memory_of(configs: Iterable[TrialConfig], alive: int = 1) -> Memory:
    """Memory of trials with these configurations, run in this order.

    Args:
        configs: in the order in which trials are handed out.
        alive: trials that may be alive at once, see `most_together`.
    """
    ordered = list(configs)
    shapes = {(c.dataset, c.network, c.ansatz, c.training.best_of) for c in ordered}
    problems = [(c.dataset, c.network) for c in ordered]
    sizes = {problem: shared_bytes(*problem) for problem in set(problems)}
    return Memory(
        trial=max((training_bytes(*shape) for shape in shapes), default=0),
        shared=most_together(problems, sizes, alive),
    )


def most_together(
    problems: list[ProblemConfig], sizes: Mapping[ProblemConfig, int], alive: int = 1
) -> int:
    """The largest sum of the sizes of tables that live at the same time, in bytes.

    A table is made when its first trial is handed out, and freed when its last one is over.

    Args:
        problems: of each trial, in the order in which they are handed out.
        sizes: of each problem's table.
        alive: trials that may be alive at once: the last ``alive - 1`` that were handed out may
            still hold their tables when the next one is. With 1, whoever hands trials out waits
            for tables to be freed before more are made.
    """
    last = {problem: place for place, problem in enumerate(problems)}
    ending: dict[int, list[ProblemConfig]] = {}
    for problem, place in last.items():
        # The place of the trial before which this table is surely gone.
        ending.setdefault(place + alive, []).append(problem)
    living: set[ProblemConfig] = set()
    together = largest = 0
    for place, problem in enumerate(problems):
        for ended in ending.get(place, ()):
            living.discard(ended)
            together -= sizes[ended]
        if problem not in living:
            living.add(problem)
            together += sizes[problem]
            largest = max(largest, together)
    return largest


def training_bytes(
    dataset: DatasetConfig, network: NetworkConfig, ansatz: AnsatzConfig, best_of: int
) -> int:
    """Memory of one running trial beside the shared tables.

    That is buffers of 2^N doubles, for each layer of the circuit tables and angles, and what a
    report takes.
    """
    from qhn.core.engine.engine import layer_bytes
    from qhn.core.evaluation.accuracy import report_bytes
    from qhn.sweeps.config.factory import network as build_network

    if network.n_qubits(dataset.n_inputs) > MAX_QUBITS:
        return TOO_MUCH
    assert dataset.test is not None
    family = build_network(network, dataset.n_inputs)
    n_qubits = family.n_qubits
    states = 8 * TRAINING_ARRAYS << max(n_qubits, _MIN_QUBITS)
    layer = layer_bytes(n_qubits) + 8 * _ANGLE_ARRAYS * 2 * n_qubits
    report = report_bytes(family, dataset.train, dataset.test, best_of)
    return states + ansatz.depth * layer + report + _SMALL_OBJECTS


def shared_bytes(dataset: DatasetConfig, network: NetworkConfig) -> int:
    """Memory of the loss table and whatever else trials on one problem share, while it is built."""
    from qhn.core.evaluation.problem import problem_bytes
    from qhn.sweeps.config.factory import network as build_network

    if network.n_qubits(dataset.n_inputs) > MAX_QUBITS:
        return TOO_MUCH
    assert dataset.test is not None
    family = build_network(network, dataset.n_inputs)
    return problem_bytes(family, dataset.train, dataset.test)


def stored_bytes(dataset: DatasetConfig, network: NetworkConfig) -> int:
    """What of `shared_bytes` stays once the tables are built, and lies in Ray's object store."""
    from qhn.core.evaluation.problem import keeps_probabilities
    from qhn.sweeps.config.factory import network as build_network

    if network.n_qubits(dataset.n_inputs) > MAX_QUBITS:
        return TOO_MUCH
    assert dataset.test is not None
    family = build_network(network, dataset.n_inputs)
    points = dataset.train + dataset.test
    keeps = keeps_probabilities(family, dataset.train, dataset.test)
    kept = 4 * family.n_classes * points if keeps else 0
    # The arrays of `qhn.core.evaluation.problem.Problem`: for each network three float tables and
    # its class, then the representatives, and at last the points themselves.
    tables = (28 << family.n_qubits) + 8 * family.n_classes
    return tables + kept + 8 * points * (dataset.n_inputs + 1) + _SMALL_OBJECTS
