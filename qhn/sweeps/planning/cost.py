"""The training time and the memory of a sweep, estimated before it is started."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from qhn.core.estimators.shots import mean_shots
from qhn.core.objectives.controllers import CONTROLLERS
from qhn.sweeps.config import factory as build
from qhn.sweeps.config.devices import DeviceConfig
from qhn.sweeps.config.sections import AnsatzConfig, NetworkConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.memory import Memory, circuits, memory_of

if TYPE_CHECKING:
    from qhn.core.evaluation.task import Task
    from qhn.core.training.trainer import Trainer
    from qhn.devices import DeviceHandle

#: How long all measurements together may take, in seconds.
BUDGET_S = 2.0
#: How many steps are timed at least.
_FEWEST_STEPS = 3
#: If a step takes longer than this, in seconds, only one is timed.
_SLOW_S = 0.5
#: Of deep circuits only so many layers are timed that layers times 2^N is about this number, but at
#: least the number of layers below. A step then takes some tens of milliseconds.
_TIMED_AMPLITUDES = 2**22
_FEWEST_LAYERS = 2
#: Of many shots only so many samples are timed in a step, over all of its circuits.
_TIMED_SAMPLES = 2**18
#: Of noisy circuits only so many trajectories are timed that trajectories times layers times 2^N,
#: over all circuits of a step, is about this number.
_TIMED_RUNS = 2**26
#: Drawing and scoring one sample takes about as long as so many amplitudes in one layer.
_AMPLITUDES_PER_SAMPLE = 16
#: The options that say which program simulates the circuits. Some take a hundred times as long as
#: others for the same circuits.
_SIMULATOR = ("name", "device", "backend", "method")


class CostClass(NamedTuple):
    """All settings on which the cost of a step and of a report depends.

    Steps and reports of all trials of one class cost the same, on average over a training if the
    shots change during it. ``shots`` is their mean number; 0 if the device does not sample.
    """

    network: NetworkConfig
    n_inputs: int
    n_points: int
    ansatz: AnsatzConfig
    objective: str
    prior_samples: int | None
    kernels: int
    controller: str | None
    best_of: int
    device: DeviceConfig
    shots: float

    @property
    def n_qubits(self) -> int:
        """N: one qubit for each binary parameter of the network."""
        return self.network.n_qubits(self.n_inputs)

    @property
    def work(self) -> float:
        """The cost of a step, in amplitudes of one layer; for similar classes a good measure.

        It is layers times 2^N. A device that samples runs several circuits, each so many times. A
        noisy circuit is simulated more than once; see `DeviceConfig.simulations`.
        """
        samples = _AMPLITUDES_PER_SAMPLE * self.shots
        runs = circuits(self.device, self.ansatz.depth, self.n_qubits)
        states = self.device.simulations(self.ansatz.depth, self.n_qubits, self.shots)
        return runs * (states * (self.ansatz.depth << self.n_qubits) + samples)


class Rate(NamedTuple):
    """The seconds that one core needs for a training step, and in addition for a report."""

    step_s: float
    report_s: float


@dataclass(frozen=True)
class Cost:
    """The expected cost of trials.

    Attributes:
        training_seconds: the training time of all trials, as if one core ran them one after the
            other. It is rather too long than too short: reports are timed at the start of a
            training, where they take longest, and early stopping is not taken into account. Loss
            tables and start-up are not included.
        memory: the memory that the trials need.
    """

    training_seconds: float
    memory: Memory


def cost_class(config: TrialConfig) -> CostClass:
    """The class of a trial. All trials of a class cost the same per step."""
    data = config.dataset
    assert data.test is not None
    shots = config.device.step_shots
    schedule = None if config.objective.lambda_ is None else config.objective.lambda_.schedule
    return CostClass(
        config.network,
        data.n_inputs,
        data.train + data.test,
        config.ansatz,
        config.objective_name,
        config.objective.prior_samples,
        len(h) if isinstance(h := config.objective.h, tuple) else 1,
        schedule if schedule in CONTROLLERS else None,
        config.training.best_of,
        config.device,
        0.0 if shots is None else mean_shots(shots, config.training.steps),
    )


def estimate(
    configs: Iterable[TrialConfig],
    finished: Iterable[tuple[TrialConfig, float]] = (),
    budget_s: float = BUDGET_S,
) -> Cost:
    """Estimate what trials will cost.

    Args:
        configs: the configurations of the trials that are left to run.
        finished: the configurations of finished trials with their training seconds. For classes
            with finished trials nothing is measured.
        budget_s: about how many seconds to spend on measurements. They are shared among the
            classes. The cost of classes for which no time is left is scaled from that of others.
    """
    left = list(configs)
    known: dict[CostClass, list[float]] = defaultdict(list)
    for config, seconds in finished:
        known[cost_class(config)].append(seconds / config.training.steps)
    examples: dict[CostClass, TrialConfig] = {}
    steps: Counter[CostClass] = Counter()
    reports: Counter[CostClass] = Counter()
    for config in left:
        of_config = cost_class(config)
        examples.setdefault(of_config, config)
        steps[of_config] += config.training.steps
        reports[of_config] += _n_reports(config)
    unknown = {c: config for c, config in examples.items() if c not in known}
    rates = _rates(unknown, budget_s)
    # The training seconds of finished trials include their reports.
    rates.update({c: Rate(fmean(seconds), 0.0) for c, seconds in known.items()})
    return Cost(
        training_seconds=sum(
            steps[c] * rates[c].step_s + reports[c] * rates[c].report_s for c in examples
        ),
        memory=memory_of(left),
    )


def _n_reports(config: TrialConfig) -> int:
    """The number of reports: at the steps 0, r, 2r, … and at the last step."""
    every = config.training.report_every
    assert every is not None
    # −(−a // b) is a / b rounded up.
    return 1 + -(-config.training.steps // every)


def _rates(examples: dict[CostClass, TrialConfig], budget_s: float) -> dict[CostClass, Rate]:
    """The rates of classes: measured, from the cheapest class on, as long as there is time.

    The rates of the other classes are scaled from those of the last class that was measured with
    the same simulator. So at least one class of each simulator is measured.
    """
    rates: dict[CostClass, Rate] = {}
    deadline = time.perf_counter() + budget_s
    measured: dict[tuple[str | None, ...], CostClass] = {}
    for number, of_class in enumerate(sorted(examples, key=lambda c: c.work)):
        simulator = tuple(getattr(of_class.device, name, None) for name in _SIMULATOR)
        known = measured.get(simulator)
        now = time.perf_counter()
        if known is None or now < deadline:
            # All classes that are left get the same share of the time that is left.
            share = (deadline - now) / (len(examples) - number)
            rates[of_class] = measure(examples[of_class], share)
            measured[simulator] = of_class
        else:
            scale = of_class.work / known.work
            rates[of_class] = Rate(*(scale * seconds for seconds in rates[known]))
    return rates


def measure(config: TrialConfig, budget_s: float) -> Rate:
    """Time training steps and a report, with made-up loss tables of the right shape.

    For very deep circuits fewer layers are timed, and for very many shots fewer samples. The time
    is then scaled.

    Args:
        config: the configuration of any trial of the class.
        budget_s: how many seconds to spend. A few steps are timed even if they take longer.
    """
    import numpy as np

    from qhn.core.warmup import compile_all

    # Loads the compiled code (on the first use of a machine, compiles it), which must not be timed.
    compile_all()
    start = time.perf_counter()
    small = _small(config)
    device = small.device.open(build.ansatz(small))
    # Training with made-up values may overflow. A warning about it would only confuse people.
    with device, np.errstate(all="ignore"):
        trainer = _trainer(small, _made_up_problem(small), device)
        # The first step also reports. All later ones do not.
        report = _seconds(trainer)
        fewest = 1 if report > _SLOW_S else _FEWEST_STEPS
        steps: list[float] = []
        while len(steps) < fewest or (
            time.perf_counter() - start < budget_s and not trainer.finished
        ):
            steps.append(_seconds(trainer))
    step = median(steps)
    scale = cost_class(config).work / cost_class(small).work
    return Rate(scale * step, max(report - step, 0.0))


def _small(config: TrialConfig) -> TrialConfig:
    """The configuration with at most as many layers and shots as are timed."""
    n_qubits, shots = config.n_qubits, config.device.capabilities.shots
    # A density matrix is as large as many states, however few shots there are.
    states = 1.0 if shots is None else config.device.simulations(1, n_qubits, 1.0)
    layers = int(_TIMED_AMPLITUDES / states) >> n_qubits
    if circuits(config.device, 1, n_qubits) > 2:
        # Each layer has two angles for each qubit, and each angle two circuits of all layers.
        layers = math.isqrt(layers // (4 * n_qubits))
    depth = min(config.ansatz.depth, max(_FEWEST_LAYERS, layers))
    ansatz = config.ansatz.model_copy(update={"depth": depth})
    device, sets = config.device, circuits(config.device, depth, n_qubits)
    # Each trajectory of a noisy circuit may need a run of its own.
    few = max(2, int(_TIMED_RUNS / states) // (sets * depth << n_qubits))
    if shots is not None:
        fewer = max(2, _TIMED_SAMPLES // sets)
        if device.simulations(depth, n_qubits, shots) > states:
            fewer = min(fewer, few)
        device = device.model_copy(update={"shots": min(shots, fewer)})
    elif trajectories := device.capabilities.trajectories:
        device = device.model_copy(update={"trajectories": min(trajectories, few)})
    return config.model_copy(update={"ansatz": ansatz, "device": device})


def _seconds(trainer: Trainer) -> float:
    """The seconds that the next step takes."""
    start = time.perf_counter()
    trainer.advance()
    return time.perf_counter() - start


def _trainer(config: TrialConfig, problem: Task, device: DeviceHandle) -> Trainer:
    from qhn.core.training.trainer import Trainer

    return Trainer(
        estimator=build.estimator(config, problem, device),
        schedule=build.schedule(config.objective.lambda_),
        optimiser=build.optimiser(config.training),
        seed=0,
        # So large that there is one report at the first step, and none while steps are timed.
        steps=10**6,
        report_every=10**6,
    )


def _made_up_problem(config: TrialConfig) -> Task:
    """A problem with the shapes of the configuration and with random tables, quickly made.

    It has no tables if the trial needs none.
    """
    import numpy as np

    from qhn.core.data.datasets import Dataset
    from qhn.core.evaluation.problem import MAX_KEPT_BYTES, Problem
    from qhn.core.evaluation.task import Task

    data = config.dataset
    assert data.test is not None
    network = build.network(config.network, data.n_inputs)
    rng = np.random.default_rng(0)
    dataset = Dataset(
        data.name,
        rng.standard_normal((data.train, data.n_inputs)),
        (rng.random(data.train) > 0.5).astype(np.float64),
        rng.standard_normal((data.test, data.n_inputs)),
        (rng.random(data.test) > 0.5).astype(np.float64),
    )
    if not config.needs_tables:
        return Task(dataset, network)
    n_networks, n_classes = 1 << network.n_qubits, network.n_classes
    table = rng.random(n_networks)
    shape = (n_classes, data.train + data.test)
    keep = 4 * shape[0] * shape[1] <= MAX_KEPT_BYTES
    return Problem(
        dataset=dataset,
        network=network,
        nll=table,
        train_accuracy=table,
        test_accuracy=table,
        representatives=np.arange(n_classes),
        class_of=(np.arange(n_networks) % n_classes).astype(np.int32),
        class_probabilities=np.full(shape, 0.5, dtype=np.float32) if keep else None,
    )
