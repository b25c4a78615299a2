"""The parts of a trial's configuration: data, network, circuit, objective and training.

Sweep files use the same models, so that each rule for a value is written once. Values that a file
leaves out are filled in here. So a configuration states everything that a trial does, and the same
trial has the same configuration however its file was written.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from qhn.core import metrics
from qhn.core.ansatz import Entangler
from qhn.core.data.datasets import (
    ALL_NAMES,
    DATASETS,
    DEFAULT_CLASSES,
    DEFAULT_TRAIN,
    MOST_LABEL_NOISE,
    POINT_SETS,
    Classes,
    available_points,
    check_classes,
    default_test,
    inputs_of,
)
from qhn.core.data.point_sets import sizes_of
from qhn.core.errors import InvalidValueError
from qhn.core.objectives.objective import Name as ObjectiveName
from qhn.core.training.optimisers import OPTIMISERS
from qhn.sweeps.config.part import (
    Count,
    NonNegative,
    Number,
    Part,
    Positive,
    Seed,
    broken_rule,
)
from qhn.sweeps.config.schedules import AnyLambda

NetworkKind = Literal["mlp", "logistic"]
#: What can be trained beside hypernetworks, to compare with them.
ControlName = Literal["random_search", "annealing", "straight_through", "mean_field"]

# Names from the registries of core. A type checker cannot look into a registry, so for it they are
# text. pydantic gets the names themselves.
if TYPE_CHECKING:
    DatasetName: TypeAlias = str
    OptimiserName: TypeAlias = str
    StoppingMetric: TypeAlias = str
else:
    DatasetName = Literal[ALL_NAMES]
    OptimiserName = Literal[tuple(OPTIMISERS)]
    #: The metrics that early stopping may compare. Metrics of test data are not among them: if
    #: trials were chosen by test data, their test results would be too good.
    StoppingMetric = Literal[
        tuple(
            metric.name
            for metric in metrics.METRICS
            if metric.name == "nll"
            or metric.name.startswith("validation_")
            or (metric in metrics.ACCURACIES and metric.name.startswith("train"))
        )
    ]

#: The largest depth. It is far beyond circuits that can be trained, and one step takes seconds.
MAX_DEPTH = 10_000
#: The largest number of prior strings. At every step all pairs of them are compared, which takes a
#: tenth of a second at this number.
MAX_PRIOR_SAMPLES = 2**14
PriorSampleCount = Annotated[int, Field(ge=2, le=MAX_PRIOR_SAMPLES)]
#: The largest number of samples that are drawn and sorted at every report.
MAX_BEST_OF = 2**20


#: What is wrong with points from outside that nobody has read.
NO_DIGEST = "missing: its points; name the file that has them with path"


def _as_pair(value: Any) -> Any:
    """Take a list for a tuple, which neither YAML nor JSON has."""
    return tuple(value) if isinstance(value, list) else value


class DatasetConfig(Part):
    """A data set, the sizes of its splits in points, and the seed from which it is drawn.

    The default of ``test`` is 1,000 points, or all points that training leaves if the data set has
    few. The default of ``noise`` depends on the data set. ``classes`` are two digits of the data
    set digits, and ``label_noise`` is the probability with which each training label is flipped.
    ``validation`` is how many of the training points are held out.

    The data set file has the points of the file ``path`` with the labels in the column ``label``;
    mnist and fashion_mnist may have a ``path`` as well. ``digest`` is what these points are known
    by. It is filled in when the sweep file is read, and alone is part of a trial's identity.
    """

    # The order of the fields matters: a validator sees only the fields above its own.
    name: DatasetName
    # None means what every version before has done: the digits 0 and 1, and true labels.
    classes: Annotated[Classes, BeforeValidator(_as_pair)] | None = None
    digest: str | None = None
    # Where points came from says nothing about what they are.
    path: str | None = Field(default=None, exclude=True)
    label: str | None = Field(default=None, exclude=True)
    train: Count = DEFAULT_TRAIN
    test: Count | None = None
    noise: NonNegative | None = None
    label_noise: Annotated[Number, Field(ge=0, le=MOST_LABEL_NOISE)] | None = None
    validation: Count | None = None
    seed: Seed = 0

    @field_validator("classes")
    @classmethod
    def _check_classes(cls, classes: Classes | None, info: ValidationInfo) -> Classes | None:
        name = info.data.get("name")
        if name is None or classes is None:
            return classes
        try:
            check_classes(name, classes)
        except InvalidValueError as error:
            raise broken_rule(str(error)) from None
        return None if classes == DEFAULT_CLASSES else classes

    @field_validator("digest")
    @classmethod
    def _check_digest(cls, digest: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if name is None:
            return digest
        if name not in POINT_SETS:
            if digest is not None:
                raise broken_rule(f"{name} takes no digest, leave it out")
            return digest
        if digest is None:
            raise broken_rule(NO_DIGEST)
        try:
            sizes_of(digest)
        except InvalidValueError as error:
            raise broken_rule(str(error)) from None
        return digest

    @field_validator("path", "label")
    @classmethod
    def _check_path(cls, text: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if name is None or text is None:
            return text
        if name not in POINT_SETS or (info.field_name == "label" and name != "file"):
            raise broken_rule(f"{name} takes no {info.field_name}, leave it out")
        return text

    @field_validator("validation")
    @classmethod
    def _check_validation(cls, count: int | None, info: ValidationInfo) -> int | None:
        train = info.data.get("train")
        if count is not None and train is not None and count >= train:
            raise broken_rule(
                f"`validation < train` must hold, because the points are held out of those for "
                f"training, but got validation={count}, train={train}"
            )
        return count

    @field_validator("label_noise")
    @classmethod
    def _drop_no_noise(cls, label_noise: float | None) -> float | None:
        # Labels that are flipped with probability 0 are the same trial as true ones.
        return label_noise or None

    @field_validator("test")
    @classmethod
    def _fill_test(cls, test: int | None, info: ValidationInfo) -> int | None:
        name, train = info.data.get("name"), info.data.get("train")
        if name is None or train is None or not {"classes", "digest"} <= info.data.keys():
            return test
        classes, digest = info.data["classes"], info.data["digest"]
        available = available_points(name, classes, digest)
        filled = default_test(name, train, classes, digest) if test is None else test
        if available is not None and (filled < 1 or train + filled > available):
            raise broken_rule(
                f"`train + test <= {available}` must hold for {name}, but got train={train}"
                + ("" if test is None else f", test={test}")
            )
        return filled

    @field_validator("noise")
    @classmethod
    def _fill_noise(cls, noise: float | None, info: ValidationInfo) -> float | None:
        name = info.data.get("name")
        if name is None:
            return noise
        default = None if name in POINT_SETS else DATASETS[name].noise
        if noise is not None and default is None:
            raise broken_rule(f"{name} takes no noise, leave it out (got {noise:g})")
        return default if noise is None else noise

    @property
    def n_inputs(self) -> int:
        """The number of coordinates of a point, d."""
        return inputs_of(self.name, self.digest)

    @property
    def available(self) -> int | None:
        """How many points there are for training and test together; None without a limit."""
        return available_points(self.name, self.classes, self.digest)


def with_seed(dataset: DatasetConfig, seed: int) -> DatasetConfig:
    """The same data set, drawn from another seed."""
    return dataset.model_copy(update={"seed": seed})


class NetworkConfig(Part):
    """The family of binary networks that the circuit samples (layouts of arXiv 2301.08292)."""

    kind: NetworkKind = "mlp"
    hidden: Count | None = None

    @field_validator("hidden")
    @classmethod
    def _fill_hidden(cls, hidden: int | None, info: ValidationInfo) -> int | None:
        kind = info.data.get("kind")
        if kind == "logistic" and hidden is not None:
            raise broken_rule(f"logistic has no hidden units, but got {hidden}; leave hidden out")
        return 3 if kind == "mlp" and hidden is None else hidden

    def n_qubits(self, n_inputs: int) -> int:
        """The number of binary parameters for points with d coordinates.

        It is dH + 2H + 2 for an mlp with H hidden units, and d + 1 for logistic regression.
        """
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


class KernelSum(Part):
    """The bandwidths of several kernels whose sum is the kernel, ascending and each once."""

    sum: Annotated[tuple[Positive, ...], Field(min_length=2), BeforeValidator(_as_pair)]

    @field_validator("sum")
    @classmethod
    def _in_order(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        # The same sum must not have two ids.
        if list(values) != sorted(set(values)):
            raise broken_rule(
                f"must have different bandwidths in ascending order, but got {list(values)}"
            )
        return values


#: The hyperparameters that each objective uses.
_USED: dict[str, tuple[str, ...]] = {
    "mle": (),
    "elbo": ("lambda_",),
    "selbo": ("lambda_", "bandwidth", "prior_samples"),
    "kale": ("lambda_", "bandwidth", "regularisation"),
}


class ObjectiveConfig(Part):
    """An objective with the hyperparameters that it uses. Others are dropped.

    MLE uses none, ELBO uses λ only, SELBO uses λ, h and prior samples, and KALE uses λ, h and its
    regularisation α. ``lambda_`` is the schedule of λ or its controller, ``bandwidth`` is h as a
    number, or several for the sum of their kernels, and ``prior_samples`` is the number of prior
    strings that are drawn at each step, or None for the closed form of MMD², which needs none.
    """

    name: ObjectiveName
    lambda_: AnyLambda | None = Field(default=None, alias="lambda")
    bandwidth: Positive | KernelSum | None = None
    prior_samples: PriorSampleCount | None = None
    regularisation: Positive | None = None

    @field_validator("lambda_", "bandwidth", "prior_samples", "regularisation")
    @classmethod
    def _drop_unused(cls, value: Any, info: ValidationInfo) -> Any:
        # A hyperparameter that is not used must not change the trial's id. Otherwise the same
        # training would be done again under another id.
        name = info.data.get("name")
        if name is None:
            return value
        if info.field_name not in _USED[name]:
            return None
        if value is None and info.field_name != "prior_samples":
            raise broken_rule(f"{name} needs one")
        return value

    @property
    def h(self) -> float | tuple[float, ...] | None:
        """The bandwidth, or those of a sum of kernels, as the objectives of core take it."""
        return self.bandwidth.sum if isinstance(self.bandwidth, KernelSum) else self.bandwidth


class TrainingBase(Part):
    """Optimisation and reporting, apart from the learning rate.

    ``steps`` and ``report_every`` are numbers of parameter updates. The default of ``report_every``
    is 10, or more for long trainings, so that there are at most 100 reports, including those at
    step 0 and at the end. A value that is given is used as it is, but never more than ``steps``.
    """

    steps: Count = 250
    optimiser: OptimiserName = "adam"
    report_every: Count | None = None
    best_of: Annotated[int, Field(ge=1, le=MAX_BEST_OF)] = 64

    @field_validator("report_every")
    @classmethod
    def _fill_report_every(cls, every: int | None, info: ValidationInfo) -> int | None:
        # The value is filled in here and so becomes part of the trial's identity. Otherwise the
        # reports of the same trial would change if the default changed.
        steps: int | None = info.data.get("steps")
        if steps is None:
            return every
        return min(max(10, math.ceil(steps / 99)) if every is None else every, steps)


class TrainingConfig(TrainingBase):
    """Optimisation and reporting of a trial."""

    learning_rate: Positive = 0.1


class AshaConfig(Part):
    """Early stopping by asynchronous successive halving (ASHA, arXiv 1810.05934).

    Trials with the same data set, network and objective are compared with each other, whatever
    their λ, h and seed. After ``grace_steps`` steps, and again each time the number of steps has
    grown by the factor ``reduction_factor``, the best 1/``reduction_factor`` of them continue.
    """

    kind: Literal["asha"] = "asha"
    metric: StoppingMetric = "nll"
    grace_steps: Count = 50
    reduction_factor: Annotated[int, Field(ge=2, le=100)] = 3

    def content(self) -> dict[str, Any]:
        """The rule as JSON values without None, as its digest is computed from them."""
        return self.model_dump(mode="json", exclude_none=True)
