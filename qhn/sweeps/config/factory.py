"""Functions that build the objects of core from the configuration of a trial.

Modules of core that load compiled code or large libraries are imported inside these functions, so
that reading a sweep file does not load them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.sweeps.config.schedules import ScheduleConfig
from qhn.sweeps.config.sections import DatasetConfig, NetworkConfig, TrainingConfig
from qhn.sweeps.config.trial import TrialConfig

if TYPE_CHECKING:
    from qhn.core.data.datasets import Dataset
    from qhn.core.estimators.estimator import Estimator
    from qhn.core.estimators.sampler import Sampler
    from qhn.core.evaluation.problem import Problem
    from qhn.core.evaluation.task import Task
    from qhn.core.networks import BinaryNetwork
    from qhn.core.objectives.controllers import Controller
    from qhn.core.objectives.objective import Objective
    from qhn.core.objectives.sampled import SampledObjective
    from qhn.core.objectives.schedules import Schedule
    from qhn.core.training.optimisers import Optimiser
    from qhn.core.training.trainer import Trainer
    from qhn.devices import DeviceHandle


def dataset(config: DatasetConfig) -> Dataset:
    """Draw the data set, with its training and test points."""
    from qhn.core.data.datasets import make_dataset

    assert config.test is not None  # a validator has filled it in
    return make_dataset(
        config.name,
        train=config.train,
        test=config.test,
        noise=config.noise,
        seed=config.seed,
        label_noise=config.label_noise,
        classes=config.classes,
        digest=config.digest,
        validation=config.validation,
    )


def network(config: NetworkConfig, n_inputs: int) -> BinaryNetwork:
    """The family of binary networks for points with ``n_inputs`` coordinates."""
    from qhn.core import networks

    if config.kind == "logistic":
        return networks.logistic(n_inputs)
    assert config.hidden is not None
    return networks.mlp(n_inputs, config.hidden)


def problem(config: TrialConfig, progress: Callable[[float], None] | None = None) -> Task:
    """Build what a trial learns: data, networks, and the tables over all 2^N if it needs them.

    Args:
        config: the configuration of any trial with the same ``shared_key``.
        progress: called from time to time with the fraction of the tables that is finished.
    """
    from qhn.core.evaluation.problem import build_problem, build_task

    data, family = dataset(config.dataset), network(config.network, config.dataset.n_inputs)
    if config.needs_tables:
        return build_problem(data, family, progress)
    return build_task(data, family)


def ansatz(config: TrialConfig) -> Ansatz:
    """The circuit, with one qubit for each bit of the network."""
    part = config.ansatz
    assert part.entanglers_first is not None
    return Ansatz(config.n_qubits, part.depth, part.entangler, part.entanglers_first)


def objective(config: TrialConfig, problem: Problem) -> Objective:
    """The objective, with the loss table and the number of training points of the problem."""
    from qhn.core.objectives.objective import Objective

    part = config.objective
    return Objective.of(part.name, problem, part.h, part.prior_samples, part.regularisation)


def sampled_objective(config: TrialConfig, problem: Task) -> SampledObjective:
    """The objective as it is estimated from samples."""
    from qhn.core.objectives.sampled import SampledObjective

    part = config.objective
    return SampledObjective.of(part.name, problem, part.h, part.prior_samples, part.regularisation)


def estimator(
    config: TrialConfig, problem: Task, device: DeviceHandle, sampler: Sampler | None = None
) -> Estimator:
    """The estimator that computes value, gradient and metrics of the trial on its device.

    Args:
        config: the configuration of the trial.
        problem: the data and the loss table of the trial.
        device: an open handle for the circuit of the trial.
        sampler: what draws the samples, if the handle of a queued device does not do it itself.

    Raises:
        InvalidValueError: if there is no estimator for such a device.
    """
    from qhn.core.estimators.exact import ExactEstimator
    from qhn.core.estimators.shift import ShiftEstimator
    from qhn.core.estimators.spsa import SpsaEstimator
    from qhn.core.estimators.trajectories import TrajectoryEstimator
    from qhn.devices import SamplerHandle, SimulatorHandle, TrajectoryHandle

    # A mean field is a hypernetwork whose circuit entangles nothing (see the plan).
    if config.control == "random_search" or config.control == "annealing":
        from qhn.core.estimators.control import ControlEstimator

        return ControlEstimator(
            kind=config.control,
            problem=_with_tables(problem),
            ansatz=device.ansatz,
            seed=config.seed,
            steps=config.training.steps,
            evaluations=config.training.best_of,
        )
    if config.control == "straight_through":
        from qhn.core.estimators.straight_through import StraightThroughEstimator

        return StraightThroughEstimator(
            problem=_with_tables(problem),
            ansatz=device.ansatz,
            seed=config.seed,
            steps=config.training.steps,
            evaluations=config.training.best_of,
            learning_rate=config.training.learning_rate,
        )
    if isinstance(device, SimulatorHandle):
        tables = _with_tables(problem)
        return ExactEstimator(
            problem=tables,
            ansatz=device.ansatz,
            objective=objective(config, tables),
            simulator=device,
            seed=config.seed,
            best_of=config.training.best_of,
        )
    if isinstance(device, TrajectoryHandle):
        tables = _with_tables(problem)
        return TrajectoryEstimator(
            problem=tables,
            ansatz=device.ansatz,
            objective=objective(config, tables),
            simulator=device,
            seed=config.seed,
            best_of=config.training.best_of,
        )
    shots = config.device.step_shots
    if sampler is None and isinstance(device, SamplerHandle):
        sampler = device
    if sampler is None or shots is None:
        raise InvalidValueError(
            "a trial needs a device that gives the whole distribution, trajectories, or samples "
            f"with a number of shots, but got {device.name}"
        )
    kind = SpsaEstimator if config.device.sample_estimator == "spsa" else ShiftEstimator
    return kind(
        problem=problem,
        ansatz=device.ansatz,
        objective=sampled_objective(config, problem),
        sampler=sampler,
        shots=shots,
        seed=config.seed,
        best_of=config.training.best_of,
        steps=config.training.steps,
        trial=config.trial_id,
    )


def trainer(
    config: TrialConfig,
    problem: Task,
    device: DeviceHandle,
    clock: Callable[[], int] | None = None,
    sampler: Sampler | None = None,
) -> Trainer:
    """A trainer at the first step of the trial, with random angles.

    Args:
        config: the configuration of the trial.
        problem: its data and loss table.
        device: an open handle of its device, for its circuit.
        clock: gives the time of reports, in milliseconds since 1970; None for the real time.
        sampler: as in `estimator`.

    Raises:
        InvalidValueError: if there is no estimator for such a device.
    """
    from qhn.core.training.trainer import Trainer, wall_clock_ms

    training = config.training
    return Trainer(
        estimator=estimator(config, problem, device, sampler),
        schedule=schedule(config.objective.lambda_),
        optimiser=optimiser(training),
        seed=config.seed,
        steps=training.steps,
        report_every=training.report_every or training.steps,
        clock=clock or wall_clock_ms,
    )


def _with_tables(task: Task) -> Problem:
    from qhn.core.evaluation.problem import Problem

    if not isinstance(task, Problem):
        raise InvalidValueError(
            "training with whole distributions needs tables over all networks, but got a task "
            f"without tables, of {task.n_qubits} qubits"
        )
    return task


def schedule(config: ScheduleConfig | None) -> Schedule | Controller:
    """The schedule of λ, or its controller. An objective without λ gets the constant 0."""
    from qhn.core.objectives.controllers import CONTROLLERS, make_controller
    from qhn.core.objectives.schedules import Constant, make_schedule

    if config is None:
        # MLE does not use λ, and its reports show 0.
        return Constant(0.0)
    values = config.model_dump(exclude={"schedule"})
    if config.schedule in CONTROLLERS:
        return make_controller(config.schedule, **values)
    return make_schedule(config.schedule, **values)


def optimiser(config: TrainingConfig) -> Optimiser:
    """A new optimiser with the configured learning rate."""
    from qhn.core.training.optimisers import OPTIMISERS

    return OPTIMISERS[config.optimiser](config.learning_rate)
