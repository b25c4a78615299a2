"""The plan of a sweep: its trials, as a pure function of the sweep file's content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from qhn.core.errors import InvalidValueError
from qhn.core.seeds import Purpose, stream
from qhn.sweeps.config.sections import (
    AshaConfig,
    with_seed,
)
from qhn.sweeps.config.trial import TrialConfig, digest
from qhn.sweeps.planning.labels import labels
from qhn.sweeps.planning.lanes import PlannedLane, plan_lanes
from qhn.sweeps.planning.trial_configs import Setting, config_of, control_of, rates_of
from qhn.sweeps.spec.lanes import LaneOfFile, lanes_of_file
from qhn.sweeps.spec.models import (
    ElboSpec,
    KaleSpec,
    MleSpec,
    ObjectiveSpec,
    RandomSearch,
    SelboSpec,
    SweepSpec,
    each_once,
    number_of,
)
from qhn.sweeps.spec.values import (
    CLOSED_FORM,
    Distribution,
    number_as_constant,
    pick,
)

#: How many uniform numbers each draw of a random search takes. All draws of all sweeps depend on
#: it, so it must never change.
_NUMBERS_PER_DRAW = 16


@dataclass(frozen=True)
class PlannedTrial:
    """One trial to run.

    Attributes:
        trial_id: the digest of its configuration.
        config: its configuration.
        group: the label of its group. The trials of a group differ only by their seeds.
        group_id: the digest of all settings that the trials of the group share.
        former_id: the id under which a store of version f0fdd86 has the trial; None if the sweep
            has no early stopping. In that version early stopping was a part of the configuration.
        data_seed: the seed of its data, if the sweep has data seeds, so that the trials of a group
            differ by it too; else None.
    """

    trial_id: str
    config: TrialConfig
    group: str
    group_id: str
    former_id: str | None = None
    lane: str | None = None
    device_label: str | None = None
    parent: str | None = None
    data_seed: int | None = None

    @property
    def label(self) -> str:
        """The name of the trial for people: the label of its group, and its seeds."""
        task = "" if self.data_seed is None else f" data-seed={self.data_seed}"
        return f"{self.group}{task} seed={self.config.seed}"


@dataclass(frozen=True)
class Plan:
    """The trials of a sweep, and its other settings.

    Attributes:
        name: the name of the sweep.
        trials: all trials, each of them once. Seeds are outermost: every group has its first trial
            before any group has its second, so that an unfinished sweep can compare all groups.
            Data seeds come next, so that it can compare them on all tasks.
        groups: the label of each group by its id, in the order of the file.
        duplicates: how many trials were left out because the file asks for them more than once.
        early_stopping: the rule by which the sweep stops trials early; None if it stops none.
        description: a text for people; None if the file has none.
        tags: names and values by which people find the sweep.
        lanes: the lanes of queued devices, in the order of the file.
        time_limit: the seconds for which a trial may work before it is ended; None for no limit.
    """

    name: str
    trials: tuple[PlannedTrial, ...]
    groups: dict[str, str]
    duplicates: int
    early_stopping: AshaConfig | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    lanes: tuple[PlannedLane, ...] = ()
    time_limit: float | None = None

    @property
    def over_tasks(self) -> bool:
        """Whether the sweep has data seeds, so that each group has trials on several tasks."""
        return any(trial.data_seed is not None for trial in self.trials[:1])

    @property
    def group_configs(self) -> dict[str, TrialConfig]:
        """The configuration of the first trial of each group, by group id."""
        found: dict[str, TrialConfig] = {}
        for trial in self.trials:
            found.setdefault(trial.group_id, trial.config)
        return found

    def lane(self, name: str) -> PlannedLane:
        """The lane with a name, which one of the trials has.

        Raises:
            InvalidValueError: if there is none.
        """
        for lane in self.lanes:
            if lane.name == name:
                return lane
        raise InvalidValueError(
            f"a lane must be one of {', '.join(lane.name for lane in self.lanes) or 'none'}, "
            f"but got {name!r}"
        )


@dataclass
class _Group:
    """The trials that differ only by their seeds.

    Attributes:
        config: the configuration of one of them.
        lane: the name of the lane of their queued device, or None.
        label: the label of that device, or None.
        parent: the id of the group whose trials they start from, or None.
        asked: how often the file asks for the group. Groups that only others start from have 0.
    """

    config: TrialConfig
    lane: str | None = None
    label: str | None = None
    parent: str | None = None
    asked: int = 0


def make_plan(spec: SweepSpec) -> Plan:
    """The trials of a sweep, without repetitions, in the order in which they are run.

    If a sweep gets more seeds, or its random search more draws, trials are added and all others
    stay the same.
    """
    lanes = lanes_of_file(spec.devices, spec.lanes)
    groups = _groups(spec, lanes)
    over_tasks = spec.data_seeds is not None
    configs = {group_id: group.config for group_id, group in groups.items()}
    names = labels(configs, over_tasks=over_tasks)
    asked = [group.asked for group in groups.values() if group.asked]
    n_asked, n_planned = number_of(spec.seeds), len(spec.seed_values)
    if spec.data_seeds is not None:
        n_asked *= number_of(spec.data_seeds)
        n_planned *= len(each_once(spec.data_seeds))
    of_lane: dict[str, list[TrialConfig]] = defaultdict(list)
    for group in groups.values():
        if group.lane is not None:
            of_lane[group.lane].append(group.config)
    return Plan(
        name=spec.name,
        trials=tuple(_trials(spec, groups, names)),
        groups=names,
        duplicates=sum(asked) * n_asked - len(asked) * n_planned,
        early_stopping=spec.early_stopping,
        description=spec.description,
        tags=spec.tags,
        lanes=plan_lanes(lanes, of_lane),
        time_limit=spec.time_limit,
    )


def _groups(spec: SweepSpec, lanes: Iterable[LaneOfFile]) -> dict[str, _Group]:
    """All groups by their ids, each after the group that its trials start from."""
    rule = spec.early_stopping
    search = spec.search
    if isinstance(search, RandomSearch):
        settings = [_draw(spec, search.seed, number) for number in range(search.draws)]
    else:
        settings = list(_grid(spec))
    # A configuration must have a seed. The other seeds are put in when the trials are listed.
    first_seed = spec.seed_values[0]
    over_tasks = spec.data_seed_values is not None
    datasets = spec.datasets
    if spec.data_seed_values is not None:
        datasets = tuple(with_seed(data, spec.data_seed_values[0]) for data in spec.datasets)
    lane_of = {label: lane.name for lane in lanes for label in lane.access}
    groups: dict[str, _Group] = {}
    for dataset, setting, device in product(datasets, settings, spec.devices):
        config = config_of(spec, dataset, setting, device.config, first_seed)
        parent_id = None
        if (parent := config.parent) is not None:
            parent_id = parent.group_id(rule, over_tasks=over_tasks)
            groups.setdefault(parent_id, _Group(parent))
        group_id = config.group_id(rule, over_tasks=over_tasks)
        group = groups.setdefault(group_id, _Group(config, parent=parent_id))
        group.asked += 1
        # Two devices may differ only by how they are reached. Their trials are the same, and belong
        # to the lane of the first of them.
        if group.lane is None and device.key in lane_of:
            group.lane, group.label = lane_of[device.key], device.key
    for dataset, network, control in product(datasets, spec.networks, spec.controls or ()):
        for rate in rates_of(spec, control):
            config = control_of(spec, dataset, network, control, rate, first_seed)
            group_id = config.group_id(rule, over_tasks=over_tasks)
            groups.setdefault(group_id, _Group(config)).asked += 1
    return groups


def _trials(
    spec: SweepSpec, groups: Mapping[str, _Group], names: Mapping[str, str]
) -> Iterator[PlannedTrial]:
    rule = spec.early_stopping
    # The id of a trial is the digest of its group's content with its seed put in. This takes a
    # tenth of the time of computing the content of every configuration.
    contents = {key: group.config.content() for key, group in groups.items()}
    former = {key: group.config.former_content(rule) for key, group in groups.items()}
    for seed, data_seed in product(spec.seed_values, spec.data_seed_values or (None,)):
        ids = {key: digest(_seeded(found, seed, data_seed)) for key, found in contents.items()}
        for key, group in groups.items():
            changes: dict[str, Any] = {"seed": seed}
            if data_seed is not None:
                changes["dataset"] = with_seed(group.config.dataset, data_seed)
            was = None if rule is None else digest(_seeded(former[key], seed, data_seed))
            yield PlannedTrial(
                trial_id=ids[key],
                config=group.config.model_copy(update=changes),
                group=names[key],
                group_id=key,
                former_id=was,
                lane=group.lane,
                device_label=group.label,
                parent=None if group.parent is None else ids[group.parent],
                data_seed=data_seed,
            )


def _seeded(content: Mapping[str, Any], seed: int, data_seed: int | None) -> dict[str, Any]:
    """The content of one trial of a group, given that of another one."""
    found = {**content, "seed": seed}
    if data_seed is not None:
        found["dataset"] = {**content["dataset"], "seed": data_seed}
    return found


def _grid(spec: SweepSpec) -> Iterator[Setting]:
    rates = spec.training.learning_rate
    outer = product(spec.networks, spec.ansatze, spec.objectives, rates)
    for network, ansatz, objective, rate in outer:
        for lambda_, h, samples, alpha in product(*_choices(objective)):
            number = _prior_samples(samples)
            yield Setting(network, ansatz, objective, lambda_, h, number, rate, alpha)


def _choices(objective: ObjectiveSpec) -> tuple[tuple[Any, ...], ...]:
    """The values that λ, h, the prior samples and the regularisation of KALE may have.

    A setting that the objective does not have has the single value None.
    """
    match objective:
        case MleSpec():
            return (None,), (None,), (None,), (None,)
        case ElboSpec():
            return objective.lambda_, (None,), (None,), (None,)
        case SelboSpec():
            return objective.lambda_, objective.bandwidth, objective.prior_samples, (None,)
        case KaleSpec():
            return objective.lambda_, objective.bandwidth, (None,), objective.regularisation


def _draw(spec: SweepSpec, seed: int, number: int) -> Setting:
    """The settings of draw ``number`` of a random search, which do not depend on the other draws.

    Each choice has its own uniform numbers, so that one choice more or less does not change the
    others.
    """
    # The same number of uniform numbers is always drawn, whether they are used or not, so that a
    # new kind of choice can use the next ones.
    u = stream(seed, Purpose.RANDOM_SEARCH, number).random(_NUMBERS_PER_DRAW).tolist()
    objective = pick(spec.objectives, u[0])
    lambdas, bandwidths, samples, alphas = _choices(objective)
    return Setting(
        network=pick(spec.networks, u[1]),
        ansatz=pick(spec.ansatze, u[2]),
        objective=objective,
        lambda_=number_as_constant(_value(lambdas, u[3], u[4])),
        h=_value(bandwidths, u[5], u[6]),
        prior_samples=_prior_samples(pick(samples, u[7])),
        learning_rate=_value(spec.training.learning_rate, u[8], u[9]),
        regularisation=pick(alphas, u[10]),
    )


def _value(items: tuple[Any, ...], which: float, where: float) -> Any:
    """Pick an item by one uniform number and, from a distribution, its value by another one."""
    item = pick(items, which)
    return item.at(where) if isinstance(item, Distribution) else item


def _prior_samples(samples: Any) -> int | None:
    return None if samples == CLOSED_FORM else samples
