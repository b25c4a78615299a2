"""The configuration of one trial, from what a sweep file or a draw of it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qhn.core.objectives.bandwidth import bandwidth
from qhn.sweeps.config.devices import DeviceConfig
from qhn.sweeps.config.sections import (
    AnsatzConfig,
    ControlName,
    DatasetConfig,
    NetworkConfig,
    ObjectiveConfig,
    TrainingConfig,
)
from qhn.sweeps.config.start import StartConfig
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.spec.models import ObjectiveSpec, SweepSpec
from qhn.sweeps.spec.values import Distribution, KernelSumSpec


@dataclass(frozen=True)
class Setting:
    """The settings of a trial apart from data set, device and seed. h may still be a rule."""

    network: NetworkConfig
    ansatz: AnsatzConfig
    objective: ObjectiveSpec
    lambda_: Any = None
    h: float | str | KernelSumSpec | None = None
    prior_samples: int | None = None
    learning_rate: Any = None
    regularisation: float | None = None


def config_of(
    spec: SweepSpec, dataset: DatasetConfig, setting: Setting, device: DeviceConfig, seed: int
) -> TrialConfig:
    """The trial of one setting on a data set and a device. All that depends on N is filled in."""
    n_qubits = setting.network.n_qubits(dataset.n_inputs)
    whole = spec.training.model_dump(exclude={"learning_rate"})
    training = TrainingConfig(learning_rate=setting.learning_rate, **whole)
    return TrialConfig(
        dataset=dataset,
        network=setting.network,
        ansatz=setting.ansatz,
        objective=ObjectiveConfig.model_validate(
            {
                "name": setting.objective.name,
                "lambda": setting.lambda_,
                # A rule for h becomes a number here, where the number of qubits is known.
                "bandwidth": _in_numbers(setting.h, n_qubits),
                "prior_samples": setting.prior_samples,
                "regularisation": setting.regularisation,
            }
        ),
        training=training,
        device=device.resolved(n_qubits),
        start_from=_start(spec, training, device, n_qubits),
        seed=seed,
    )


def _in_numbers(h: float | str | KernelSumSpec | None, n_qubits: int) -> Any:
    """A bandwidth as a trial has it, for a number of qubits."""
    if h is None or not isinstance(h, KernelSumSpec):
        return None if h is None else bandwidth(h, n_qubits)
    # Rules and numbers may come to the same bandwidth.
    widths = sorted({bandwidth(one, n_qubits) for one in h.sum})
    return {"sum": widths} if len(widths) > 1 else widths[0]


def _start(
    spec: SweepSpec, training: TrainingConfig, device: DeviceConfig, n_qubits: int
) -> StartConfig | None:
    """Where the trials of a queued device start from; None if from random angles, as all others."""
    if spec.start_from is None or not device.capabilities.queued:
        return None
    changes = {"steps": spec.start_from.steps or training.steps}
    before = TrainingConfig.model_validate({**training.model_dump(), **changes})
    return StartConfig(device=spec.start_from.device.resolved(n_qubits), training=before)


def rates_of(spec: SweepSpec, control: ControlName) -> tuple[float | Distribution, ...]:
    """The learning rates with which a control is trained: all of them if it is all that it has."""
    rates = spec.training.learning_rate
    return rates if control == "straight_through" else rates[:1]


def control_of(
    spec: SweepSpec,
    dataset: DatasetConfig,
    network: NetworkConfig,
    control: ControlName,
    rate: float | Distribution,
    seed: int,
) -> TrialConfig:
    """A control, which has no λ, no h, no device and no circuit of the sweep.

    A mean field is the distribution of independent bits. Its circuit is one brickwork layer, whose
    CNOTs come first and change nothing, so that only rotations of single qubits are left.

    Args:
        spec: the sweep file.
        dataset: the data set.
        network: the family of networks.
        control: which control.
        rate: the learning rate; of a distribution its middle.
        seed: the seed.
    """
    whole = spec.training.model_dump(exclude={"learning_rate"})
    return TrialConfig(
        dataset=dataset,
        network=network,
        ansatz=AnsatzConfig(entangler="brickwork", depth=1, entanglers_first=True),
        objective=ObjectiveConfig(name="mle"),
        training=TrainingConfig(
            learning_rate=rate.at(0.5) if isinstance(rate, Distribution) else rate, **whole
        ),
        control=control,
        seed=seed,
    )
