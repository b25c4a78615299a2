"""What a sweep runs: a pure function of its spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from qhn.core.objectives.bandwidth import bandwidth
from qhn.core.seeds import Purpose, stream
from qhn.sweeps.config.devices import DeviceConfig
from qhn.sweeps.config.sections import (
    AnsatzConfig,
    AshaConfig,
    DatasetConfig,
    NetworkConfig,
    ObjectiveConfig,
    TrainingConfig,
)
from qhn.sweeps.config.trial import TrialConfig, digest
from qhn.sweeps.planning.labels import labels
from qhn.sweeps.spec.models import ElboSpec, MleSpec, RandomSearch, SelboSpec, SweepSpec
from qhn.sweeps.spec.values import CLOSED_FORM, Distribution, number_as_constant, pick

#: Uniform numbers behind one random draw. All draws of all sweeps hang on it: it must stay.
_NUMBERS_PER_DRAW = 16


@dataclass(frozen=True)
class PlannedTrial:
    """One trial to run.

    Attributes:
        trial_id: digest of its configuration.
        config: what it trains.
        group: the label that it shares with the trials that differ from it by their seed alone.
        group_id: the digest of what these trials share.
        former_id: the id under which a store of version f0fdd86 has it, if the sweep has early
            stopping, which counted as a part of the configuration then; else None.
    """

    trial_id: str
    config: TrialConfig
    group: str
    group_id: str
    former_id: str | None = None

    @property
    def label(self) -> str:
        """What people call it: its group and seed."""
        return f"{self.group} seed={self.config.seed}"


@dataclass(frozen=True)
class Plan:
    """What a sweep runs.

    Attributes:
        name: of the sweep.
        trials: each once, seeds outermost: every group has its first trial before any has its
            second, so that a sweep that is not finished compares all groups.
        groups: label by group id, in the order of the file.
        duplicates: trials that the file asks for more than once, counted beyond the first.
        early_stopping: the rule by which the sweep ends trials early, None if it ends none.
        description: text for people; None where the file has none.
        tags: names and values that people find the sweep by.
    """

    name: str
    trials: tuple[PlannedTrial, ...]
    groups: dict[str, str]
    duplicates: int
    early_stopping: AshaConfig | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Setting:
    """Hyperparameters apart from data set, device and seed; h still as the file has it."""

    network: NetworkConfig
    ansatz: AnsatzConfig
    objective: MleSpec | ElboSpec | SelboSpec
    lambda_: Any = None
    h: float | str | None = None
    prior_samples: int | None = None
    learning_rate: Any = None


def make_plan(spec: SweepSpec) -> Plan:
    """The trials of a sweep, without repetitions, in the order in which they are run.

    More seeds, or more draws of a random search, add trials and leave the others as they are.
    """
    rule = spec.early_stopping
    groups: dict[str, TrialConfig] = {}
    n_planned = 0
    search = spec.search
    if isinstance(search, RandomSearch):
        settings = [_draw(spec, search.seed, number) for number in range(search.draws)]
    else:
        settings = list(_grid(spec))
    # A configuration cannot be without a seed; the others are set when the trials are listed.
    first_seed = spec.seed_values[0]
    for dataset, setting, device in product(spec.datasets, settings, spec.devices):
        config = _config(spec, dataset, setting, device, first_seed)
        groups.setdefault(config.group_id(rule), config)
        n_planned += 1
    names = labels(groups)
    # Digests of a group's content with each seed put in are the ids of its trials, and take a tenth
    # of the time that writing out every configuration would.
    contents = {group_id: config.content() for group_id, config in groups.items()}
    former = {group_id: config.former_content(rule) for group_id, config in groups.items()}
    trials = tuple(
        PlannedTrial(
            trial_id=digest({**contents[group_id], "seed": seed}),
            config=config.model_copy(update={"seed": seed}),
            group=names[group_id],
            group_id=group_id,
            former_id=None if rule is None else digest({**former[group_id], "seed": seed}),
        )
        for seed in spec.seed_values
        for group_id, config in groups.items()
    )
    n_seeds = len(spec.seeds) if isinstance(spec.seeds, tuple) else spec.seeds.count
    duplicates = n_planned * n_seeds - len(trials)
    return Plan(spec.name, trials, names, duplicates, rule, spec.description, spec.tags)


def _grid(spec: SweepSpec) -> Iterator[_Setting]:
    rates = spec.training.learning_rate
    outer = product(spec.networks, spec.ansatze, spec.objectives, rates)
    for network, ansatz, objective, rate in outer:
        for lambda_, h, samples in product(*_choices(objective)):
            number = _prior_samples(samples)
            yield _Setting(network, ansatz, objective, lambda_, h, number, rate)


def _choices(objective: MleSpec | ElboSpec | SelboSpec) -> tuple[tuple[Any, ...], ...]:
    """What λ, h and prior samples may be; an objective that has none of them has one choice."""
    match objective:
        case MleSpec():
            return (None,), (None,), (None,)
        case ElboSpec():
            return objective.lambda_, (None,), (None,)
        case SelboSpec():
            return objective.lambda_, objective.bandwidth, objective.prior_samples


def _draw(spec: SweepSpec, seed: int, number: int) -> _Setting:
    """Setting ``number`` of a random search, whatever the number of draws.

    Each choice has its own uniform numbers, so that one choice more or less leaves the others.
    """
    # Always the same number of them, used or not, so that a later kind of choice can take the next.
    u = stream(seed, Purpose.RANDOM_SEARCH, number).random(_NUMBERS_PER_DRAW).tolist()
    objective = pick(spec.objectives, u[0])
    lambdas, bandwidths, samples = _choices(objective)
    return _Setting(
        network=pick(spec.networks, u[1]),
        ansatz=pick(spec.ansatze, u[2]),
        objective=objective,
        lambda_=number_as_constant(_value(lambdas, u[3], u[4])),
        h=_value(bandwidths, u[5], u[6]),
        prior_samples=_prior_samples(pick(samples, u[7])),
        learning_rate=_value(spec.training.learning_rate, u[8], u[9]),
    )


def _value(items: tuple[Any, ...], which: float, where: float) -> Any:
    item = pick(items, which)
    return item.at(where) if isinstance(item, Distribution) else item


def _prior_samples(samples: Any) -> int | None:
    return None if samples == CLOSED_FORM else samples


def _config(
    spec: SweepSpec, dataset: DatasetConfig, setting: _Setting, device: DeviceConfig, seed: int
) -> TrialConfig:
    n_qubits = setting.network.n_qubits(dataset.n_inputs)
    training = spec.training.model_dump(exclude={"learning_rate"})
    return TrialConfig(
        dataset=dataset,
        network=setting.network,
        ansatz=setting.ansatz,
        objective=ObjectiveConfig.model_validate(
            {
                "name": setting.objective.name,
                "lambda": setting.lambda_,
                # A rule becomes a number here, since only here both h and the network are known.
                "bandwidth": None if setting.h is None else bandwidth(setting.h, n_qubits),
                "prior_samples": setting.prior_samples,
            }
        ),
        training=TrainingConfig(learning_rate=setting.learning_rate, **training),
        device=device,
        seed=seed,
    )
