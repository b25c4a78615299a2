"""Checks the rules of sweep files that concern several entries together.

An entry with a mistake of its own is left out, and the rules are checked for the others. So one
mistake does not hide another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from pydantic import TypeAdapter, ValidationError

from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.task import MAX_TABLE_QUBITS
from qhn.sweeps.config.circuits import most_executions
from qhn.sweeps.config.devices import DeviceConfig, unsteered, unsupported
from qhn.sweeps.config.sections import AshaConfig
from qhn.sweeps.spec.lane_rules import check_lanes
from qhn.sweeps.spec.lanes import LaneName, LaneSpec
from qhn.sweeps.spec.mistakes import Finding, Place, value_text
from qhn.sweeps.spec.models import (
    MAX_TRIALS,
    AnsatzEntry,
    DatasetEntry,
    DeviceEntry,
    NetworkEntry,
    ObjectiveEntry,
    RandomSearch,
    Search,
    SeedRange,
    Seeds,
    StartSpec,
    SweepSpec,
    TrainingSpec,
    number_of,
)
from qhn.sweeps.spec.values import Choice, Distribution, as_items

_SECTIONS: dict[str, TypeAdapter[Any]] = {
    "datasets": TypeAdapter(DatasetEntry),
    "networks": TypeAdapter(NetworkEntry),
    "ansatze": TypeAdapter(AnsatzEntry),
    "objectives": TypeAdapter(ObjectiveEntry),
    "devices": TypeAdapter(DeviceEntry),
}
_SEEDS: TypeAdapter[Any] = TypeAdapter(Seeds)
_SEARCH: TypeAdapter[Any] = TypeAdapter(Search)
_TRAINING: TypeAdapter[Any] = TypeAdapter(TrainingSpec)
_STOPPING: TypeAdapter[Any] = TypeAdapter(AshaConfig)
_START: TypeAdapter[Any] = TypeAdapter(StartSpec)
_LANE_NAME: TypeAdapter[Any] = TypeAdapter(LaneName)
_LANE: TypeAdapter[Any] = TypeAdapter(LaneSpec)


@dataclass
class _Valid:
    """The entries that have no mistake of their own, by their place in their list."""

    lists: dict[str, dict[int, Any]]
    seeds: SeedRange | tuple[int, ...] | None
    data_seeds: SeedRange | tuple[int, ...] | None
    search: Any
    training: TrainingSpec | None
    early_stopping: AshaConfig | None
    lanes: dict[str, LaneSpec]
    labels: list[str]
    start_from: StartSpec | None


def check(content: Mapping[str, Any]) -> Iterator[Finding]:
    """The mistakes that concern several entries: the place of each, and a message.

    Args:
        content: the content of the sweep file. Entries with mistakes of their own are left out.
    """
    valid = _salvage(content)
    yield from _data_seeds(content)
    yield from _distributions(valid)
    yield from _devices(valid)
    yield from _circuits(valid)
    yield from check_lanes(valid.lists["devices"], valid.lanes, valid.labels)
    yield from _grace(valid)
    yield from _validation(valid)
    yield from _kale(valid)
    yield from _trial_count(valid, content)


def _salvage(content: Mapping[str, Any]) -> _Valid:
    # Each entry is validated alone. If pydantic validated a list, one mistake in it would leave us
    # without all of its entries.
    lists = {}
    for section, adapter in _SECTIONS.items():
        raw = _raw(content, section)
        items = ((place, _valid(adapter, item)) for place, item in enumerate(raw))
        lists[section] = {place: item for place, item in items if item is not None}
    return _Valid(
        lists,
        seeds=_valid(_SEEDS, content.get("seeds")),
        data_seeds=_valid(_SEEDS, content.get("data_seeds")),
        search=_valid(_SEARCH, content.get("search", "grid")),
        training=_valid(_TRAINING, content.get("training", {})),
        early_stopping=_valid(_STOPPING, _as_asha(content.get("early_stopping"))),
        lanes=_lanes(content.get("lanes")),
        start_from=_valid(_START, content.get("start_from")),
        labels=[label for item in _raw(content, "devices") if (label := _label(item)) is not None],
    )


def _raw(content: Mapping[str, Any], section: str) -> Any:
    """The entries of a section as they stand in the file, or its default."""
    field = SweepSpec.model_fields[section]
    default = () if field.is_required() else field.get_default()
    return as_items(content[section]) if section in content else default


def _lanes(raw: Any) -> dict[str, LaneSpec]:
    if not isinstance(raw, dict):
        return {}
    found = {name: _valid(_LANE, lane) for name, lane in raw.items()}
    return {
        name: lane
        for name, lane in found.items()
        if lane is not None and _valid(_LANE_NAME, name) is not None
    }


def _label(device: Any) -> str | None:
    """What lanes call a device, also if something else about it is wrong."""
    if isinstance(device, str):
        return device.partition(":")[0]
    if isinstance(device, dict):
        label = device.get("label", device.get("name"))
        return label if isinstance(label, str) else None
    return getattr(device, "key", None)


def _as_asha(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _valid(adapter: TypeAdapter[Any], raw: Any) -> Any:
    try:
        return adapter.validate_python(raw)
    except ValidationError:
        return None


def _value_lists(valid: _Valid) -> Iterator[tuple[Place, Sequence[Any]]]:
    """All lists of values that the sweep varies, each with its place in the file."""
    for place, objective in valid.lists["objectives"].items():
        for key, attribute in (
            ("lambda", "lambda_"),
            ("bandwidth", "bandwidth"),
            ("prior_samples", "prior_samples"),
            ("regularisation", "regularisation"),
        ):
            if (values := getattr(objective, attribute, None)) is not None:
                yield ("objectives", place, key), values
    if valid.training is not None:
        yield ("training", "learning_rate"), valid.training.learning_rate


def _data_seeds(content: Mapping[str, Any]) -> Iterator[Finding]:
    """Data sets that have a seed of their own although the file has data seeds."""
    if content.get("data_seeds") is None:
        return
    # Only the entries as they stand in the file tell a seed that is given from the default.
    for place, entry in enumerate(_raw(content, "datasets")):
        given = entry if isinstance(entry, dict) else getattr(entry, "model_fields_set", ())
        if "seed" in given:
            value = entry["seed"] if isinstance(entry, dict) else entry.seed
            message = (
                "with data_seeds every data set is drawn from each of these seeds, so it must have "
                f"none of its own, but got {value_text(value)}; leave one of the two out"
            )
            yield ("datasets", place, "seed"), message


def _distributions(valid: _Valid) -> Iterator[Finding]:
    if valid.search is None or isinstance(valid.search, RandomSearch):
        return
    for path, values in _value_lists(valid):
        for place, value in enumerate(values):
            if isinstance(value, Distribution):
                message = "a distribution needs search: {kind: random, draws: ...}; or list values"
                yield (*path, place), message


def _devices(valid: _Valid) -> Iterator[Finding]:
    # Every objective is trained on every device.
    for place, objective in valid.lists["objectives"].items():
        devices = [device.config for device in valid.lists["devices"].values()]
        reasons = [unsupported(objective.name, device) for device in devices]
        reasons += [
            unsteered(value, device)
            for item in getattr(objective, "lambda_", None) or ()
            for value in (item.values if isinstance(item, Choice) else (item,))
            for device in devices
        ]
        # Several devices may have the same reason, which is told once.
        for reason in dict.fromkeys(filter(None, reasons)):
            yield ("objectives", place), reason
        # So is every parent of a trial on a queued device.
        start = valid.start_from
        if start is not None and (why := unsupported(objective.name, start.device)):
            yield ("start_from", "device"), f"{why} (for objectives[{place}])"


def _circuits(valid: _Valid) -> Iterator[Finding]:
    """Circuits that a device cannot run, or not in one job. Each device is named once."""
    circuits = {
        (network.n_qubits(dataset.n_inputs), ansatz.depth): None
        for dataset in valid.lists["datasets"].values()
        for network in valid.lists["networks"].values()
        for ansatz in valid.lists["ansatze"].values()
    }
    found: list[tuple[Place, DeviceConfig, int | None]] = []
    for place, entry in valid.lists["devices"].items():
        access = entry.access
        most = None if access is None else access.provider.executions_per_job
        found.append((("devices", place), entry.config, most))
    if valid.start_from is not None:
        found.append((("start_from", "device"), valid.start_from.device, None))
    for where, device, most in found:
        for n_qubits, depth in circuits:
            if (why := _unfit(device, n_qubits, depth, most)) is not None:
                yield where, why
                break


def _unfit(device: DeviceConfig, n_qubits: int, depth: int, most: int | None) -> str | None:
    """Why a device cannot run the circuits of a step; None if it can."""
    try:
        device.resolved(n_qubits)
    except InvalidValueError as error:
        return str(error)
    executions, shots = most_executions(device, depth, n_qubits), device.capabilities.shots
    if most is None or not shots or executions <= most:
        return None
    sets = executions // shots
    way_out = f"at most {most // sets:,} shots" if most >= sets else "fewer layers"
    return (
        f"a step must fit into one job of at most {most:,} executions, but {sets:,} circuits on "
        f"{n_qubits} qubits with {shots:,} shots each are {executions:,}; use {way_out}"
    )


def _grace(valid: _Valid) -> Iterator[Finding]:
    if valid.training is None or valid.early_stopping is None:
        return
    grace, steps = valid.early_stopping.grace_steps, valid.training.steps
    if grace >= steps:
        message = f"must be less than training.steps = {steps}, but got {grace}"
        # Without a line of its own the mistake is told at `early_stopping`, so it names the field.
        if "grace_steps" not in valid.early_stopping.model_fields_set:
            message = (
                f"grace_steps, which is {grace} by default, must be less than "
                f"training.steps = {steps}; give a smaller one: "
                "{kind: asha, grace_steps: ...}"
            )
        yield ("early_stopping", "grace_steps"), message


def _validation(valid: _Valid) -> Iterator[Finding]:
    """Early stopping by held-out points where there are none, and too large circuits for them."""
    stopping = valid.early_stopping
    by_validation = stopping is not None and stopping.metric.startswith("validation_")
    for place, dataset in valid.lists["datasets"].items():
        if by_validation and dataset.validation is None:
            yield (
                ("early_stopping", "metric"),
                f"needs training points that are held out, but datasets[{place}] has none; give it "
                "validation: N, or compare trials by nll",
            )
        if dataset.validation is None:
            continue
        for network in valid.lists["networks"].values():
            n_qubits = network.n_qubits(dataset.n_inputs)
            if n_qubits > MAX_TABLE_QUBITS:
                yield (
                    ("datasets", place, "validation"),
                    f"points are held out on at most {MAX_TABLE_QUBITS} qubits, but a circuit has "
                    f"{n_qubits}; leave it out",
                )
                break


def _kale(valid: _Valid) -> Iterator[Finding]:
    """KALE from samples of circuits that are too large to be enumerated."""
    if not any(one.config.capabilities.samples for one in valid.lists["devices"].values()):
        return
    sizes = [
        network.n_qubits(dataset.n_inputs)
        for dataset in valid.lists["datasets"].values()
        for network in valid.lists["networks"].values()
    ]
    largest = max(sizes, default=0)
    for place, objective in valid.lists["objectives"].items():
        if objective.name == "kale" and largest > MAX_TABLE_QUBITS:
            yield (
                ("objectives", place),
                f"kale from samples is enumerated on at most {MAX_TABLE_QUBITS} qubits, but a "
                f"circuit has {largest}; use selbo",
            )


def _trial_count(valid: _Valid, content: Mapping[str, Any]) -> Iterator[Finding]:
    if valid.seeds is None or valid.training is None or valid.search is None:
        return
    # Trials are counted without making them, because a file of a few hundred bytes can ask for more
    # trials than fit into memory.
    n_seeds = number_of(valid.seeds)
    if valid.data_seeds is not None:
        n_seeds *= number_of(valid.data_seeds)
    lengths = {section: len(items) for section, items in valid.lists.items()}
    n_trials = lengths["datasets"] * lengths["devices"] * n_seeds
    if isinstance(valid.search, RandomSearch):
        n_trials *= valid.search.draws
    else:
        values = {path: len(values) for path, values in _value_lists(valid)}
        per_objective = [
            prod(count for path, count in values.items() if path[:2] == ("objectives", place))
            for place in valid.lists["objectives"]
        ]
        n_trials *= lengths["networks"] * lengths["ansatze"] * sum(per_objective)
        n_trials *= len(valid.training.learning_rate)
    names = _raw(content, "controls") or ()
    # One of them is trained with each learning rate.
    more = len(valid.training.learning_rate) - 1 if "straight_through" in names else 0
    controls = len(names) + more
    n_trials += lengths["datasets"] * lengths["networks"] * n_seeds * controls
    if n_trials > MAX_TRIALS:
        yield (), f"asks for {n_trials:,} trials, but at most {MAX_TRIALS:,} are allowed"
