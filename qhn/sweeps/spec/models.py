"""The models with which pydantic checks the content of a sweep file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from qhn.devices.kinds import Exact
from qhn.sweeps.config.devices import AnyDevice, device_from_word, short_forms
from qhn.sweeps.config.part import Count, Part, Positive, Seed, broken_rule
from qhn.sweeps.config.sections import (
    AnsatzConfig,
    AshaConfig,
    ControlName,
    DatasetConfig,
    NetworkConfig,
    TrainingBase,
)
from qhn.sweeps.config.start import without_queue
from qhn.sweeps.spec.devices import AnyDeviceSpec, device_spec
from qhn.sweeps.spec.durations import Seconds
from qhn.sweeps.spec.lanes import LaneName, LaneSpec
from qhn.sweeps.spec.mistakes import value_text
from qhn.sweeps.spec.values import (
    CLOSED_FORM,
    BandwidthItem,
    Items,
    LambdaItem,
    LearningRateItem,
    PriorSamples,
    Several,
    Shorthand,
)

#: A file that asks for more trials than this has probably a mistake, and planning them would fill
#: the memory.
MAX_TRIALS = 1_000_000

#: Some versions of MLflow refuse longer tags, and the description is stored as a tag.
MAX_TEXT = 5_000

_TAG = re.compile(r"[A-Za-z0-9._-]{1,100}")
_RESERVED = ("qhn.", "mlflow.")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")

_NAME_SCHEMA = {"type": "string", "pattern": f"^{_NAME.pattern}$", "not": {"const": "Default"}}


def _word(key: str) -> tuple[BeforeValidator, Shorthand]:
    """Let a word stand for a mapping that has only this key."""

    def as_mapping(value: Any) -> Any:
        if isinstance(value, str):
            return {key: value}
        if not isinstance(value, dict | Part):
            raise broken_rule(f"must be a word or a mapping, but got {value_text(value)}")
        return value

    def words(schema: Any, resolve: Any) -> list[Any]:
        """The words that are enough alone. ``elbo``, for example, is not, because it needs a λ."""
        found: list[str] = []
        for member in schema.get("oneOf") or schema.get("anyOf") or [schema]:
            model = resolve(member)
            if set(model.get("required", ())) <= {key}:
                named = model["properties"][key]
                found += named.get("enum", [named["const"]] if "const" in named else [])
        return [{"enum": found}]

    return BeforeValidator(as_mapping), Shorthand(words)


def _device_word() -> tuple[BeforeValidator, BeforeValidator, Shorthand]:
    """As `_word`, and an option may follow the word after a colon, as in ``exact:1024``."""
    as_mapping, names = _word("name")

    def words(schema: Any, resolve: Any) -> list[Any]:
        pattern = f"^({'|'.join(map(re.escape, short_forms()))}):.+$"
        return [*names.others(schema, resolve), {"type": "string", "pattern": pattern}]

    # Of validators that come before the model, the last one is the first to run.
    divide = BeforeValidator(lambda word: device_from_word(word) if isinstance(word, str) else word)
    return as_mapping, divide, Shorthand(words)


def _as_text(value: Any) -> Any:
    """Take a number, or true or false, as text. Lists and mappings stay as they are."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _check_tag_name(name: str) -> str:
    if name.startswith(_RESERVED):
        raise broken_rule(
            "the name of a tag must not begin with 'qhn.' or 'mlflow.', which have uses of their "
            f"own, but got {value_text(name)}"
        )
    if not _TAG.fullmatch(name):
        raise broken_rule(
            "the name of a tag must be letters, digits, '.', '_' and '-', at most 100 of them, "
            f"but got {value_text(name)}"
        )
    return name


# Each name is checked alone and not all tags together, so that each mistake has its own line.
TagName: TypeAlias = Annotated[
    str,
    AfterValidator(_check_tag_name),
    WithJsonSchema({"pattern": f"^(?!{'|'.join(map(re.escape, _RESERVED))}){_TAG.pattern}$"}),
]
TagValue: TypeAlias = Annotated[
    str,
    Field(max_length=MAX_TEXT, description="text"),
    BeforeValidator(_as_text),
    Shorthand(lambda schema, resolve: [{"type": ["number", "boolean"]}]),
]

#: Marks a setting that an objective does not use. It is checked like any other and then dropped, so
#: that its values do not multiply the trials.
UNUSED = AfterValidator(lambda value: None)
_Lambdas: TypeAlias = Annotated[
    Items[LambdaItem], Field(alias="lambda", description="a number or a schedule")
]
_UnusedBandwidth: TypeAlias = Annotated[Items[BandwidthItem] | None, UNUSED]
_UnusedPriorSamples: TypeAlias = Annotated[Items[PriorSamples] | None, UNUSED]


class MleSpec(Part):
    """The mean nll alone, without any setting to vary."""

    name: Literal["mle"]
    lambda_: Annotated[Items[LambdaItem] | None, UNUSED] = Field(None, alias="lambda")
    bandwidth: _UnusedBandwidth = None
    prior_samples: _UnusedPriorSamples = None


class ElboSpec(Part):
    """The mean nll plus (λ/n)·KL to the uniform prior, for each λ."""

    name: Literal["elbo"]
    lambda_: _Lambdas
    bandwidth: _UnusedBandwidth = None
    prior_samples: _UnusedPriorSamples = None


class SelboSpec(Part):
    """The mean nll plus (λ/n)·MMD² to the uniform prior, for each λ, h and estimate of MMD²."""

    name: Literal["selbo"]
    lambda_: _Lambdas
    bandwidth: Items[BandwidthItem] = ("n/4",)
    prior_samples: Items[PriorSamples] = (CLOSED_FORM,)


class KaleSpec(Part):
    """The mean nll plus (λ/n)·KALE to the uniform prior, for each λ, h and regularisation α."""

    name: Literal["kale"]
    lambda_: _Lambdas
    bandwidth: Items[BandwidthItem] = ("n/4",)
    regularisation: Items[Positive] = (0.1,)


class TrainingSpec(TrainingBase):
    """The settings of optimisation and reporting, for each learning rate."""

    learning_rate: Items[LearningRateItem] = (0.1,)


class GridSearch(Part):
    """Run every combination of the values."""

    kind: Literal["grid"] = "grid"


class RandomSearch(Part):
    """Draw an objective with its values, a network, an ansatz and a learning rate, several times.

    Each draw is run on every data set and device with every seed. If the number of draws grows, the
    earlier draws stay the same.
    """

    kind: Literal["random"]
    draws: Annotated[int, Field(ge=1, le=MAX_TRIALS)] = Field(description="a whole number")
    seed: Seed = 0


class SeedRange(Part):
    """The seeds first, first + 1, …, first + count − 1."""

    first: Seed = 0
    count: Annotated[int, Field(ge=1, le=MAX_TRIALS)] = Field(description="a whole number")

    @field_validator("count")
    @classmethod
    def _check_last(cls, count: int, info: ValidationInfo) -> int:
        if info.data.get("first", 0) + count > 2**63:
            raise broken_rule("the last seed must be below 2^63, take a smaller first")
        return count


def _seeds_kind(value: Any) -> str | None:
    if isinstance(value, dict | SeedRange):
        return "range"
    return "list" if isinstance(value, list | tuple) else None


def _count_as_range(value: Any) -> Any:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return {"first": 0, "count": value} if is_count else value


DatasetEntry: TypeAlias = Annotated[DatasetConfig, *_word("name")]
NetworkEntry: TypeAlias = Annotated[NetworkConfig, *_word("kind")]
AnsatzEntry: TypeAlias = Annotated[AnsatzConfig, *_word("entangler")]
DeviceEntry: TypeAlias = Annotated[AnyDeviceSpec, *_device_word()]
ObjectiveSpec: TypeAlias = MleSpec | ElboSpec | SelboSpec | KaleSpec
ObjectiveEntry: TypeAlias = Annotated[
    Annotated[ObjectiveSpec, Field(discriminator="name")], *_word("name")
]
Search: TypeAlias = Annotated[
    Annotated[GridSearch | RandomSearch, Field(discriminator="kind")], *_word("kind")
]
Seeds: TypeAlias = Annotated[
    Annotated[SeedRange, Tag("range")] | Annotated[Several[Seed], Tag("list")],
    Discriminator(
        _seeds_kind,
        custom_error_type="kind",
        custom_error_message="must be a whole number, a list of them, or {first: ..., count: ...}",
    ),
    BeforeValidator(_count_as_range),
    Shorthand(lambda schema, resolve: [SeedRange.model_json_schema()["properties"]["count"]]),
]


class StartSpec(Part):
    """From which training the trials of queued devices start.

    It is the same configuration on this device, with so many steps; None for as many as the trials
    themselves have.
    """

    device: Annotated[AnyDevice, *_device_word(), AfterValidator(without_queue)] = Field(
        description="a device without a queue"
    )
    steps: Count | None = None


class SweepSpec(Part):
    """The content of a sweep file after all checks.

    `qhn.sweeps.planning.plan.make_plan` makes trials of it.
    """

    name: Annotated[str, WithJsonSchema(_NAME_SCHEMA)] = Field(description="a word")
    # These two are for people. They are not part of any trial, so they change no trial id.
    description: Annotated[str, Field(max_length=MAX_TEXT)] | None = Field(
        None, description="text for people, shown with the sweep"
    )
    tags: dict[TagName, TagValue] = Field({}, description="names and values to find the sweep by")
    datasets: Items[DatasetEntry] = Field(description="a list of data sets")
    networks: Items[NetworkEntry] = (NetworkConfig(),)
    ansatze: Items[AnsatzEntry] = (AnsatzConfig(),)
    objectives: Items[ObjectiveEntry] = Field(description="a list of objectives")
    seeds: Seeds = Field(description="a whole number or a list")
    # Each of them replaces the seed of every data set. None leaves each data set the seed that it
    # has, so that a sweep has one task for each data set.
    data_seeds: Seeds | None = Field(None, description="a whole number or a list")
    controls: Items[ControlName] | None = Field(
        None, description="a list of random_search, annealing, straight_through and mean_field"
    )
    training: TrainingSpec = TrainingSpec()
    devices: Items[DeviceEntry] = (device_spec({"name": Exact.kind}),)
    lanes: dict[LaneName, LaneSpec] = Field({}, description="lanes of queued devices by name")
    start_from: StartSpec | None = None
    search: Search = GridSearch()
    early_stopping: Annotated[AshaConfig, *_word("kind")] | None = None
    # When a trial is given up says nothing about what it is, so this changes no trial id either.
    time_limit: Seconds | None = None

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        # The name is used for a folder in the store and for an experiment in MLflow.
        if name == "Default":
            raise broken_rule("must not be 'Default': MLflow has an experiment of that name")
        if not _NAME.fullmatch(name):
            raise broken_rule(
                "must be letters, digits, '.', '_' and '-', at most 100 of them, and not begin "
                f"with '.' or '-', but got {value_text(name)}"
            )
        return name

    @property
    def seed_values(self) -> tuple[int, ...]:
        """The seeds in the order in which they are run, each once."""
        return each_once(self.seeds)

    @property
    def data_seed_values(self) -> tuple[int, ...] | None:
        """The data seeds in the order in which they are run, each once; None without data seeds."""
        return None if self.data_seeds is None else each_once(self.data_seeds)

    def content(self) -> dict[str, Any]:
        """The content of a sweep file with all defaults filled in, which parses to this spec."""
        content = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if self.data_seeds is not None:
            # A file with data seeds may not give a data set a seed, not even the default.
            for dataset in content["datasets"]:
                del dataset["seed"]
        return content


def each_once(seeds: SeedRange | tuple[int, ...]) -> tuple[int, ...]:
    """The seeds in the order in which they are run, without repetitions."""
    if isinstance(seeds, SeedRange):
        return tuple(range(seeds.first, seeds.first + seeds.count))
    # A dictionary removes repetitions and keeps the order, which a set does not.
    return tuple(dict.fromkeys(seeds))


def number_of(seeds: SeedRange | tuple[int, ...]) -> int:
    """How many seeds a file gives, repetitions included, without making a list of them."""
    return seeds.count if isinstance(seeds, SeedRange) else len(seeds)
