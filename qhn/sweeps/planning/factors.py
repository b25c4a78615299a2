"""What a sweep varies and what its groups share, in the words of tables and labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qhn.core.data.datasets import DEFAULT_CLASSES, OF_TEN_CLASSES
from qhn.core.objectives.controllers import CONTROLLERS
from qhn.sweeps.config import factory as build
from qhn.sweeps.config.trial import TrialConfig


@dataclass(frozen=True)
class Factor:
    """One setting of a group, as people read it.

    Attributes:
        scope: among which groups the setting is compared. The noise of one data set says nothing
            about the noise of another, so two groups are compared only within the same scope.
        title: what the setting is called, also as a column of a table.
        value: its value as text.
        label: how a group's label states it, ``lambda=1`` for example.
        owner: what has the setting: a data set, network, entangler, objective or device, by name.
        always: whether labels state it even where it does not vary.
    """

    scope: str
    title: str
    value: str
    label: str
    owner: str
    always: bool = False


# What is not worth saying where all groups have it.
_UNSAID: Mapping[str, set[str]] = {"label noise": {"0"}, "validation": {"0"}}


@dataclass(frozen=True)
class FactorTable:
    """The settings of several groups, divided into what they share and what varies.

    Attributes:
        shared: value by title, of what the groups have in common. Where some have another value,
            or none, the text names those that it is about: ``1000 (moons), 260 (digits)``, or
            ``3.5 (selbo)`` for an h beside groups of mle.
        titles: of the settings that vary, in the order of the labels.
        cells: by group id, the value of each varying setting that the group has, by title.
    """

    shared: dict[str, str]
    titles: tuple[str, ...]
    cells: dict[str, dict[str, str]]


def factor_table(groups: Mapping[str, TrialConfig], *, over_tasks: bool = False) -> FactorTable:
    """Divide the settings of the groups of a sweep into shared and varying ones.

    No two groups have the same cells: where four digits of a number do not tell them apart, all
    digits are given, and if need be the beginning of the group's id.

    Args:
        groups: group id and the configuration of any of the group's trials.
        over_tasks: whether the trials of a group have data of different seeds.
    """
    for digits in (4, None):
        table = _factor_table(groups, digits, over_tasks)
        if len({tuple(cells.items()) for cells in table.cells.values()}) == len(groups):
            return table
    cells = {group_id: {**found, "group": group_id[:6]} for group_id, found in table.cells.items()}
    return FactorTable(table.shared, (*table.titles, "group"), cells)


def _factor_table(
    groups: Mapping[str, TrialConfig], digits: int | None, over_tasks: bool
) -> FactorTable:
    by_group = {
        group_id: factors(config, digits, over_tasks=over_tasks)
        for group_id, config in groups.items()
    }
    moving = varying(by_group)
    titles = {title for _, title in moving}
    # A title that varies in one scope is a column, also for groups of the other scopes.
    shared: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for of_group in by_group.values():
        for factor in of_group:
            owners = shared[factor.title][factor.value]
            if factor.owner not in owners:
                owners.append(factor.owner)
    count = Counter(factor.title for of_group in by_group.values() for factor in of_group)
    order = _order(by_group.values())
    return FactorTable(
        shared={
            title: _in_words(shared[title], everywhere=count[title] == len(groups))
            for title in order
            if title not in titles and shared[title].keys() != _UNSAID.get(title)
        },
        titles=tuple(title for title in order if title in titles),
        cells={
            group_id: {factor.title: factor.value for factor in of_group if factor.title in titles}
            for group_id, of_group in by_group.items()
        },
    )


def _order(groups: Iterable[tuple[Factor, ...]]) -> list[str]:
    """All titles, each after those that come before it in a group that has it.

    A sweep whose first group has no λ must not show λ behind the learning rate.
    """
    order: list[str] = []
    for of_group in groups:
        place = 0
        for factor in of_group:
            if factor.title not in order:
                order.insert(place, factor.title)
            place = order.index(factor.title) + 1
    return order


def _in_words(owners_by_value: Mapping[str, list[str]], *, everywhere: bool) -> str:
    if everywhere and len(owners_by_value) == 1:
        return next(iter(owners_by_value))
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in owners_by_value.items())


def varying(by_group: Mapping[str, tuple[Factor, ...]]) -> set[tuple[str, str]]:
    """Scope and title of each setting that has more than one value among the groups."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for of_group in by_group.values():
        for factor in of_group:
            values[factor.scope, factor.title].add(factor.value)
    return {key for key, found in values.items() if len(found) > 1}


def factors(
    config: TrialConfig, digits: int | None, *, over_tasks: bool = False
) -> tuple[Factor, ...]:
    """All that can be said about a group, in the order in which labels state it.

    Args:
        config: of any of the group's trials; its seed is not looked at.
        digits: significant digits of numbers; None for as many as tell them from all others.
        over_tasks: whether the group's trials have data of different seeds. Then the seed of the
            data is no setting of the group.
    """
    data, network, ansatz = config.dataset, config.network, config.ansatz
    objective, training = config.objective, config.training

    def number(value: float) -> str:
        return repr(value).removesuffix(".0") if digits is None else f"{value:.{digits}g}"

    found: list[Factor] = []

    def add(
        scope: str, title: str, value: str, label: str, owner: str, always: bool = False
    ) -> None:
        found.append(Factor(scope, title, value, label, owner, always))

    name = data.name
    add("all", "dataset", name, name, name, always=True)
    if data.noise is not None:
        add(name, "noise", number(data.noise), f"noise={number(data.noise)}", name)
    if data.digest is not None:
        add(name, "points", data.digest, f"points={data.digest}", name)
    if name in OF_TEN_CLASSES:
        pair = "-".join(map(str, data.classes or DEFAULT_CLASSES))
        add(name, "classes", pair, f"classes={pair}", name)
    flipped = number(data.label_noise or 0.0)
    add(name, "label noise", flipped, f"label-noise={flipped}", name)
    held_out = str(data.validation or 0)
    add(name, "validation", held_out, f"validation={held_out}", name)
    add(name, "train", str(data.train), f"train={data.train}", name)
    add(name, "test", str(data.test), f"test={data.test}", name)
    if not over_tasks:
        add(name, "data seed", str(data.seed), f"data-seed={data.seed}", name)
    kind = network.kind
    add("network", "network", kind, kind, kind)
    if network.hidden is not None:
        add("network", "hidden", str(network.hidden), f"hidden={network.hidden}", kind)
    # A control has no circuit of the sweep, and no device or learning rate that people chose.
    control = config.control is not None
    if not control:
        entangler = ansatz.entangler
        add("ansatz", "entangler", entangler, entangler, entangler)
        add("ansatz", "depth", str(ansatz.depth), f"depth={ansatz.depth}", entangler)
        order = "entanglers-first" if ansatz.entanglers_first else "rotations-first"
        add(entangler, "order", order, order, entangler)
    name = config.objective_name
    # Labels always name the objective, since a reader compares objectives first, also across
    # sweeps.
    add("all", "objective", name, name, name, always=True)
    if objective.lambda_ is not None:
        schedule = build.schedule(objective.lambda_)
        text = schedule.label(number)
        add("all", "λ", text, f"lambda={text}", name, always=True)
        # The one field that a schedule's own label leaves out, since it rarely varies.
        over = getattr(schedule, "over", None)
        if over is not None:
            add(schedule.kind, "λ over", number(over), f"over={number(over)}", name)
        # A controller's label has its aim alone; these are told where they vary.
        if schedule.kind in CONTROLLERS:
            told = {"schedule", "target", "ratio"}
            told |= {"start", "factor"} if schedule.kind == "plateau" else set()
            for setting, value in objective.lambda_.model_dump(exclude=told).items():
                text = number(float(value))
                add(schedule.kind, f"λ {setting}", text, f"{setting}={text}", name)
    if objective.h is not None:
        widths = objective.h if isinstance(objective.h, tuple) else (objective.h,)
        h = "+".join(number(width) for width in widths)
        add("objective", "h", h, f"h={h}", name)
    if objective.name == "selbo":
        prior = str(objective.prior_samples or "closed-form")
        add("objective", "prior samples", prior, f"prior={prior}", name)
    if objective.regularisation is not None:
        alpha = number(objective.regularisation)
        add("objective", "α", alpha, f"alpha={alpha}", name)
    if config.control in (None, "straight_through", "mean_field"):
        rate = number(training.learning_rate)
        add("training", "learning rate", rate, f"lr={rate}", name)
    # The options belong to the device's one name: a column of shots would be empty for all devices
    # that do not sample, and labels could not tell these from the others.
    device = config.device.title
    if not control:
        add("device", "device", device, device, config.device.name)
    if (start := config.start_from) is not None:
        place, updates = start.device.title, start.training.steps
        label = f"from={place.replace(' ', ',')},steps={updates}"
        add("device", "start from", f"{place}, {updates} steps", label, config.device.name)
    # Labels hardly ever state these, because all trials of a sweep have the same, except those
    # from which others start.
    for title, value in (
        ("steps", training.steps),
        ("optimiser", training.optimiser),
        ("report every", training.report_every),
        ("best of", training.best_of),
    ):
        add("training", title, str(value), f"{title.replace(' ', '-')}={value}", name)
    return tuple(found)
