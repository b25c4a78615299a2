"""Memory that trials need, said before anything is built, and memory that the machine has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

from qhn.sweeps.config.sections import AnsatzConfig, DatasetConfig, NetworkConfig
from qhn.sweeps.config.trial import TrialConfig

#: Arrays of 2^N doubles that training holds: the engine's states and the objective's buffers.
TRAINING_ARRAYS = 8
_SMALL_OBJECTS = 2**16
#: Circuits of fewer qubits take as much.
_MIN_QUBITS = 7
#: Angle-shaped arrays: parameters, gradient and the optimiser's two moments, with room to spare.
_ANGLE_ARRAYS = 8
#: The system and the driver want some memory too.
_USABLE = 0.85
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Memory(NamedTuple):
    """Memory of a sweep's trials, in bytes.

    Attributes:
        trial: of the largest single trial beside what trials share.
        shared: of all loss tables and data together.
    """

    trial: int
    shared: int

    def trials_at_once(self, available: int) -> int:
        """How many of the largest trial fit beside the tables; one even if none does."""
        return max(1, (available - self.shared) // max(1, self.trial))


def memory_of(configs: Iterable[TrialConfig]) -> Memory:
    """Memory of trials with these configurations."""
    shapes = {(c.dataset, c.network, c.ansatz, c.training.best_of) for c in configs}
    problems = {(dataset, network) for dataset, network, _, _ in shapes}
    return Memory(
        trial=max((training_bytes(*shape) for shape in shapes), default=0),
        shared=sum(shared_bytes(*problem) for problem in problems),
    )


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

    assert dataset.test is not None
    family = build_network(network, dataset.n_inputs)
    return problem_bytes(family, dataset.train, dataset.test)


def available_bytes() -> int:
    """Memory that trials may use: most of the machine's, or of the container's limit."""
    total = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):  # no such limit here
        total = min(total, int(_CGROUP_LIMIT.read_text()))
    return int(_USABLE * total)


def size_text(n_bytes: float) -> str:
    """A size as people say it, such as ``512 KiB`` or ``1.2 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if n_bytes < 1024:
            return f"{_short(n_bytes)} {unit}"
        n_bytes /= 1024
    return f"{_short(n_bytes)} EiB"


def _short(number: float) -> str:
    """Three digits, or all those before the point."""
    return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"
