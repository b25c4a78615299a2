"""The parts of a trial's configuration: data, network, circuit, objective, training, device.

Sweep files use the same models, so a rule that a value must keep is written once. Whatever a file
leaves out is filled in here, so that what runs is what its configuration says, and the same trial
has the same configuration however it was written down.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from qhn.core.ansatz import Entangler
from qhn.core.data.datasets import DEFAULT_NOISE, DIGITS_AVAILABLE, N_INPUTS

TEST_POINTS = 1000

DatasetName = Literal["gaussian", "moons", "ring", "digits"]
NetworkKind = Literal["mlp", "logistic"]

#: What early stopping may compare: choosing by test data would flatter the result.
StoppingMetric = Literal[
    "nll",
    "train_accuracy_expected",
    "train_accuracy_mode",
    "train_accuracy_average",
    "train_accuracy_best_of_k",
]

#: -0.0 equals 0.0 but is written differently; adding 0.0 leaves one of the two.
Number = Annotated[float, AfterValidator(lambda value: value + 0.0)]
Strength = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Fraction = Annotated[Number, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1, le=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
#: Far beyond what trains, and one step takes seconds.
MAX_DEPTH = 10_000
#: All pairs of prior strings are compared at every step: at this many in a tenth of a second.
MAX_PRIOR_SAMPLES = 2**14
PriorSampleCount = Annotated[int, Field(ge=2, le=MAX_PRIOR_SAMPLES)]
#: So many samples are drawn and sorted at every report.
MAX_BEST_OF = 2**20


class Part(BaseModel):
    """A piece of configuration: immutable, no unknown keys, no type coercion, no NaN."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
    )


def broken_rule(message: str) -> PydanticCustomError:
    """The error that a validator raises: its message reaches people as it is."""
    return PydanticCustomError("rule", "{message}", {"message": message})


class DatasetConfig(Part):
    """A data set, its split sizes (points) and the seed that it is drawn from.

    Left out, ``test`` is 1,000, or every image of digits that is not for training, and ``noise``
    the data set's own.
    """

    name: DatasetName
    train: Count = 100
    test: Count | None = None
    noise: Strength | None = None
    seed: Seed = 0

    @field_validator("test")
    @classmethod
    def _fill_test(cls, test: int | None, info: ValidationInfo) -> int | None:
        name, train = info.data.get("name"), info.data.get("train")
        if name != "digits" or train is None:
            return TEST_POINTS if test is None else test
        left = DIGITS_AVAILABLE - train
        if left < (1 if test is None else test):
            raise broken_rule(
                f"`train + test <= {DIGITS_AVAILABLE}` must hold for digits, but got train={train}"
                + ("" if test is None else f", test={test}")
            )
        return left if test is None else test

    @field_validator("noise")
    @classmethod
    def _fill_noise(cls, noise: float | None, info: ValidationInfo) -> float | None:
        name = info.data.get("name")
        if name is None:
            return noise
        default = DEFAULT_NOISE[name]
        if noise is not None and default is None:
            raise broken_rule(f"{name} takes no noise, leave it out (got {noise:g})")
        return default if noise is None else noise

    @property
    def n_inputs(self) -> int:
        """Number of coordinates of a point, d."""
        return N_INPUTS[self.name]


class NetworkConfig(Part):
    """The binary network that the circuit samples (layouts of arXiv 2301.08292)."""

    kind: NetworkKind = "mlp"
    hidden: Count | None = None

    @field_validator("hidden")
    @classmethod
    def _fill_hidden(cls, hidden: int | None, info: ValidationInfo) -> int | None:
        kind = info.data.get("kind")
        if kind == "logistic" and hidden is not None:
            raise broken_rule(f"logistic has no hidden units, leave it out (got {hidden})")
        return 3 if kind == "mlp" and hidden is None else hidden

    def n_qubits(self, n_inputs: int) -> int:
        """Binary parameters: dH + 2H + 2 of an mlp with H hidden units, d + 1 of a logistic."""
        if self.kind == "logistic":
            return n_inputs + 1
        assert self.hidden is not None
        return n_inputs * self.hidden + 2 * self.hidden + 2


class AnsatzConfig(Part):
    """The circuit, apart from its number of qubits; see `qhn.core.ansatz.Ansatz`."""

    entangler: Entangler = "brickwork"
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)] = 2
    entanglers_first: bool | None = None

    @field_validator("entanglers_first")
    @classmethod
    def _fill_order(cls, first: bool | None, info: ValidationInfo) -> bool:
        return info.data.get("entangler") == "brickwork" if first is None else first


class ConstantSchedule(Part):
    """λ = value at every step."""

    schedule: Literal["constant"] = "constant"
    value: Strength


class WarmupSchedule(Part):
    """λ rises linearly from start to value over the first fraction of the steps."""

    schedule: Literal["warmup"] = "warmup"
    value: Strength
    start: Strength = 0.0
    over: Fraction = 0.5


class ExponentialSchedule(Part):
    """λ goes from start to end by a constant factor per step, over the first fraction of them."""

    schedule: Literal["exponential"] = "exponential"
    start: Positive
    end: Positive
    over: Fraction = 0.8


class CosineSchedule(Part):
    """λ goes from start to end along half a cosine wave."""

    schedule: Literal["cosine"] = "cosine"
    start: Strength
    end: Strength


class CyclicSchedule(Part):
    """λ swings between low and high."""

    schedule: Literal["cyclic"] = "cyclic"
    low: Strength
    high: Strength
    cycles: Count = 4

    @field_validator("high")
    @classmethod
    def _check_order(cls, high: float, info: ValidationInfo) -> float:
        low = info.data.get("low")
        if low is not None and high < low:
            raise broken_rule(f"must be at least low, but got low={low:g} and high={high:g}")
        return high


Schedule: TypeAlias = Annotated[
    ConstantSchedule | WarmupSchedule | ExponentialSchedule | CosineSchedule | CyclicSchedule,
    Field(discriminator="schedule"),
]
SCHEDULE_KINDS = ("constant", "warmup", "exponential", "cosine", "cyclic")


class ObjectiveConfig(Part):
    """An objective; what it does not use is dropped (MLE: λ, h; ELBO: h, prior samples).

    ``bandwidth`` is h as a number. ``prior_samples`` is the number of prior strings drawn per
    step, None the closed form.
    """

    name: Literal["mle", "elbo", "selbo"]
    lambda_: Schedule | None = Field(default=None, alias="lambda")
    bandwidth: Positive | None = None
    prior_samples: PriorSampleCount | None = None

    @field_validator("lambda_", "bandwidth", "prior_samples")
    @classmethod
    def _drop_unused(cls, value: Any, info: ValidationInfo) -> Any:
        name = info.data.get("name")
        if name == "mle" or (name == "elbo" and info.field_name != "lambda_"):
            return None
        if value is None and info.field_name in ("lambda_", "bandwidth") and name is not None:
            raise broken_rule(f"{name} needs one")
        return value


class TrainingBase(Part):
    """Optimisation and reporting, apart from the learning rate.

    ``report_every`` and ``steps`` count parameter updates. Left out, ``report_every`` is 10, or
    more for long trainings: at most 100 reports, with those at step 0 and at the end. A value that
    is given is taken as it is, capped at ``steps``.
    """

    steps: Count = 250
    optimiser: Literal["adam", "sgd"] = "adam"
    report_every: Count | None = None
    best_of: Annotated[int, Field(ge=1, le=MAX_BEST_OF)] = 64

    @field_validator("report_every")
    @classmethod
    def _fill_report_every(cls, every: int | None, info: ValidationInfo) -> int | None:
        steps: int | None = info.data.get("steps")
        if steps is None:
            return every
        return min(max(10, math.ceil(steps / 99)) if every is None else every, steps)


class TrainingConfig(TrainingBase):
    """Optimisation and reporting of a trial."""

    learning_rate: Positive = 0.1


class AshaConfig(Part):
    """Asynchronous successive halving (arXiv 1810.05934).

    Trials race those with the same data set, network and objective, whatever their λ, h and seed.
    After ``grace_steps`` steps, and again each time that the steps have grown by
    ``reduction_factor``, the best 1/``reduction_factor`` of the trials go on.
    """

    kind: Literal["asha"] = "asha"
    metric: StoppingMetric = "nll"
    grace_steps: Count = 50
    reduction_factor: Annotated[int, Field(ge=2, le=100)] = 3


class DeviceConfig(Part):
    """Where circuits run; ``exact`` is the simulation of all 2^N probabilities."""

    name: Literal["exact"] = "exact"
