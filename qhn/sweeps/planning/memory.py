"""The memory that trials need, computed before anything is built.

It consists of the memory of each running trial and of the tables that trials share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from qhn.core.evaluation.task import MAX_TABLE_QUBITS
from qhn.sweeps.config.circuits import circuits as circuits
from qhn.sweeps.config.devices import DeviceConfig
from qhn.sweeps.config.sections import AnsatzConfig, DatasetConfig, NetworkConfig
from qhn.sweeps.config.trial import TrialConfig

#: How many arrays of 2^N doubles are reserved for a training: for the states of the engine, the
#: buffers of the objective, and some room to spare.
TRAINING_ARRAYS = 8
_SMALL_OBJECTS = 2**16
#: The engine has at least so many index bits, so smaller circuits take as much memory.
_MIN_QUBITS = 7
#: How many arrays in the shape of the angles are reserved: parameters, gradient and the optimiser's
#: two moments, with room to spare.
_ANGLE_ARRAYS = 8
#: How many further arrays of 2^N doubles training from samples takes: frequencies, and kernel means
#: of the sample, of the prior strings and of a pair of shifted samples.
_SAMPLING_ARRAYS = 4
#: The bytes for each sample of one circuit while it is drawn and reported: numbers to draw by, the
#: sorted strings, their scores and temporaries.
_SAMPLE_BYTES = 160
#: The bytes for each sample of a block in which the observable is computed, and how many samples a
#: block has; see `qhn.core.estimators.shift`.
_BLOCK_BYTES = 24
_BLOCK_SAMPLES = 2**16
#: Without tables, strings are evaluated and compared in blocks: the bytes of all blocks, those for
#: each bit of each string, and those for each point of the average over strings.
_STRINGS_BYTES = 16 * 2**20
_BIT_BYTES = 18
_AVERAGED_BYTES = 2**9 * 8 * 4
#: How many further arrays of 2^N doubles an average over trajectories takes: the average, kernel
#: means, observables and the same with some bits flipped.
_AVERAGE_ARRAYS = 10
#: The bytes for each gate and trajectory of a noisy circuit (errors, signs and their patterns, and
#: temporaries), and for each trajectory besides (its mask, and the objects of a group of its own).
_GATE_BYTES = 18
_TRAJECTORY_BYTES = 768
#: For more qubits than this no sizes are computed, because the numbers become too large.
MAX_QUBITS = 60
#: The size that is used instead: 1,024 EiB, more than any machine has.
TOO_MUCH = 2**70


class ProblemConfig(NamedTuple):
    """What trials share in memory. Trials that have all of it in common share one object.

    Attributes:
        dataset: the data set.
        network: the networks.
        tables: whether there are tables over all 2^N networks.
    """

    dataset: DatasetConfig
    network: NetworkConfig
    tables: bool = True


def problem_of(config: TrialConfig) -> ProblemConfig:
    """What a trial shares with others."""
    return ProblemConfig(config.dataset, config.network, config.needs_tables)


class Memory(NamedTuple):
    """The memory of a sweep's trials, in bytes.

    Attributes:
        trial: the memory of the largest trial, without what trials share.
        shared: the largest memory that loss tables and data need at the same time.
    """

    trial: int
    shared: int

    def trials_at_once(self, available: int) -> int:
        """How many trials fit into the available bytes together with the tables; at least one."""
        return max(1, (available - self.shared) // max(1, self.trial))


def memory_of(configs: Iterable[TrialConfig], alive: int = 1) -> Memory:
    """The memory of trials with these configurations, if they run in this order.

    Args:
        configs: the configurations in the order in which the trials are started.
        alive: how many trials may be alive at once; see `most_together`.
    """
    ordered = list(configs)
    # Sizes are computed once for each different shape, because a sweep may have thousands of
    # trials.
    shapes = {(c.dataset, c.network, c.ansatz, c.training.best_of, c.device) for c in ordered}
    problems = [problem_of(config) for config in ordered]
    sizes = {problem: shared_bytes(*problem) for problem in set(problems)}
    return Memory(
        trial=max((training_bytes(*shape) for shape in shapes), default=0),
        shared=most_together(problems, sizes, alive),
    )


def most_together(
    problems: list[ProblemConfig], sizes: Mapping[ProblemConfig, int], alive: int = 1
) -> int:
    """The largest total size of tables that exist at the same time, in bytes.

    A table is made when its first trial is started, and freed when its last trial is over.

    Args:
        problems: the problem of each trial, in the order in which the trials are started.
        sizes: the size of each problem's table, in bytes.
        alive: how many trials may be alive at once. When a trial is started, the ``alive - 1``
            trials before it may still need their tables. A value of 1 is right if tables are freed
            before the next ones are made.
    """
    last = {problem: place for place, problem in enumerate(problems)}
    ending: dict[int, list[ProblemConfig]] = {}
    for problem, place in last.items():
        # When the trial at this place is started, the table has certainly been freed.
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
    dataset: DatasetConfig,
    network: NetworkConfig,
    ansatz: AnsatzConfig,
    best_of: int,
    device: DeviceConfig,
) -> int:
    """The memory of one running trial without the shared tables, in bytes.

    It consists of arrays of 2^N doubles, of tables and angles for each layer of the circuit, of
    the samples of a step if the device samples, and of the memory for a report. Where there are no
    tables, only the device itself has arrays of 2^N numbers.
    """
    from qhn.core.engine.engine import layer_bytes
    from qhn.core.evaluation.accuracy import report_bytes
    from qhn.sweeps.config.factory import network as build_network

    if network.n_qubits(dataset.n_inputs) > MAX_QUBITS:
        return TOO_MUCH
    assert dataset.test is not None
    family = build_network(network, dataset.n_inputs)
    n_qubits = family.n_qubits
    layer = layer_bytes(n_qubits) + 8 * _ANGLE_ARRAYS * 2 * n_qubits
    always = ansatz.depth * layer + _trajectory_bytes(device, ansatz.depth, n_qubits)
    if shots := device.capabilities.shots:
        sets = circuits(device, ansatz.depth, n_qubits)
        angles = 8 * 2 * ansatz.depth * n_qubits
        at_once = max(shots, min(_BLOCK_SAMPLES, sets * shots))
        always += sets * (8 * shots + 2 * angles) + _SAMPLE_BYTES * shots + _BLOCK_BYTES * at_once
        if n_qubits > MAX_TABLE_QUBITS:
            points = dataset.train + dataset.test
            strings = _STRINGS_BYTES + _BIT_BYTES * n_qubits * at_once
            averaging = _AVERAGED_BYTES * points
            return always + device.state_bytes(n_qubits) + strings + averaging + _SMALL_OBJECTS
        always += 8 * _SAMPLING_ARRAYS << n_qubits
    always += device.own_bytes(n_qubits)
    states = 8 * TRAINING_ARRAYS << max(n_qubits, _MIN_QUBITS)
    report = report_bytes(family, dataset.train, dataset.test, best_of)
    return states + always + report + _SMALL_OBJECTS


def _trajectory_bytes(device: DeviceConfig, depth: int, n_qubits: int) -> int:
    """The memory for the trajectories that our engine draws of one noisy circuit, in bytes."""
    if device.drawn_noise is None:
        return 0
    averaged = device.capabilities.trajectories
    trajectories = averaged or device.capabilities.shots or 0
    gates = 3 * depth * n_qubits
    of_frames = trajectories * (_GATE_BYTES * gates + _TRAJECTORY_BYTES)
    return of_frames + (8 * _AVERAGE_ARRAYS << max(n_qubits, _MIN_QUBITS) if averaged else 0)


def shared_bytes(dataset: DatasetConfig, network: NetworkConfig, tables: bool = True) -> int:
    """The most memory that is needed to build what trials on one problem share, in bytes."""
    if not tables:
        return _data_bytes(dataset)
    from qhn.core.evaluation.problem import problem_bytes
    from qhn.sweeps.config.factory import network as build_network

    if network.n_qubits(dataset.n_inputs) > MAX_QUBITS:
        return TOO_MUCH
    assert dataset.test is not None
    family = build_network(network, dataset.n_inputs)
    held_out = dataset.validation is not None
    return problem_bytes(family, dataset.train, dataset.test, validation=held_out)


def _data_bytes(dataset: DatasetConfig) -> int:
    """The memory of a data set, in bytes."""
    assert dataset.test is not None
    return 8 * (dataset.train + dataset.test) * (dataset.n_inputs + 1) + _SMALL_OBJECTS


def stored_bytes(dataset: DatasetConfig, network: NetworkConfig, tables: bool = True) -> int:
    """The memory that trials on one problem share in Ray's object store, in bytes.

    It is the part of `shared_bytes` that is still needed when the tables have been built.
    """
    if not tables:
        return _data_bytes(dataset)
    from qhn.core.evaluation.problem import keeps_probabilities
    from qhn.sweeps.config.factory import network as build_network

    if network.n_qubits(dataset.n_inputs) > MAX_QUBITS:
        return TOO_MUCH
    assert dataset.test is not None
    family = build_network(network, dataset.n_inputs)
    points = dataset.train + dataset.test
    keeps = keeps_probabilities(family, dataset.train, dataset.test)
    kept = 4 * family.n_classes * points if keeps else 0
    # The arrays of `qhn.core.evaluation.problem.Problem`: for each network three doubles and its
    # class (28 bytes in all), for each class its representative, and the points themselves.
    of_networks = (28 << family.n_qubits) + 8 * family.n_classes
    return of_networks + kept + _data_bytes(dataset)
