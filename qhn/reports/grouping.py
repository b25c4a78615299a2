"""The trials of a sweep by data set, group and task, as comparisons need them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from qhn.sweeps.config.sections import DatasetConfig
from qhn.sweeps.config.settings import Setting, settings
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.labels import labels
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.results.table import Row

#: What identifies a group within a data set: its settings by name, in a fixed order.
Key: TypeAlias = tuple[tuple[str, Setting], ...]


@dataclass(frozen=True)
class Group:
    """The trials of one data set that differ only by their seeds and data seeds.

    Attributes:
        label: its name among the groups of the data set.
        key: its settings, apart from those of the data set.
        objective: the name of its objective.
        rows: its trials, by the name of the task and then by seed.
    """

    label: str
    key: Key
    objective: str
    rows: Mapping[str, Mapping[int, Row]]

    def scores(self, metric: str) -> dict[str, dict[int, float]]:
        """The final values of a metric, by task and seed.

        Trials without a result and results without the metric are left out. A trial that was
        stopped early has the value of its last report, as in all summaries.
        """
        found: dict[str, dict[int, float]] = {}
        for task, by_seed in self.rows.items():
            values = {
                seed: row.result.metric(metric)
                for seed, row in by_seed.items()
                if row.result is not None and metric in row.result.metrics
            }
            if values:
                found[task] = values
        return found

    @property
    def first(self) -> PlannedTrial:
        """One of its trials, for what they have in common."""
        return next(iter(next(iter(self.rows.values())).values())).trial

    @property
    def is_control(self) -> bool:
        """Whether its trials are controls and no hypernetworks."""
        return self.first.config.control is not None

    @property
    def network(self) -> Key:
        """The settings of its networks."""
        return tuple(item for item in self.key if item[0].startswith("network."))

    @property
    def without_objective(self) -> Key:
        """The settings that a group with another objective may have too."""
        return tuple(item for item in self.key if not item[0].startswith("objective."))


def by_dataset(rows: Iterable[Row]) -> dict[str, list[Group]]:
    """The groups of each data set, in the order of the rows.

    The moons with two values of the noise are two data sets. With two data seeds they are two
    tasks of one data set.

    Args:
        rows: the rows of one sweep, or of several.

    Returns:
        The groups by the label of the data set, such as ``moons``.
    """
    found: dict[DatasetConfig, dict[Key, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        config = row.trial.config
        found[_without_seed(config)][_key(config)].append(row)
    names = Counter(dataset.name for dataset in found)
    return {
        _dataset_label(dataset, alone=names[dataset.name] == 1): _groups(members)
        for dataset, members in found.items()
    }


def _without_seed(config: TrialConfig) -> DatasetConfig:
    # Where points were read from tells nothing apart: stored trials do not know it.
    return config.dataset.model_copy(update={"seed": 0, "path": None, "label": None})


def _key(config: TrialConfig) -> Key:
    named = settings(config)
    return tuple(
        sorted(
            (name, value)
            for name, value in named.items()
            if name != "seed" and not name.startswith("dataset.")
        )
    )


def _dataset_label(dataset: DatasetConfig, *, alone: bool) -> str:
    if alone:
        return dataset.name
    sizes = f"{dataset.name} train={dataset.train} test={dataset.test}"
    # All that tells data sets of one name apart: of two with one label, one would be lost.
    if dataset.digest is not None:
        sizes += f" points={dataset.digest}"
    if dataset.classes is not None:
        sizes += f" classes={dataset.classes[0]}-{dataset.classes[1]}"
    if dataset.validation is not None:
        sizes += f" validation={dataset.validation}"
    if dataset.label_noise is not None:
        sizes += f" label-noise={dataset.label_noise!r}"
    return sizes if dataset.noise is None else f"{sizes} noise={dataset.noise!r}"


def _groups(members: Mapping[Key, list[Row]]) -> list[Group]:
    configs = {}
    for number, rows in enumerate(members.values()):
        config = rows[0].trial.config
        configs[str(number)] = config.model_copy(update={"dataset": _without_seed(config)})
    named = labels(configs)
    found = []
    for number, (key, rows) in enumerate(members.items()):
        config = rows[0].trial.config
        tasks: dict[str, dict[int, Row]] = defaultdict(dict)
        for row in rows:
            dataset = row.trial.config.dataset
            tasks[f"{dataset.name} data-seed={dataset.seed}"][row.trial.config.seed] = row
        # All of them have the same data set, which every label begins with.
        label = named[str(number)].removeprefix(f"{config.dataset.name} ")
        found.append(Group(label, key, config.objective_name, dict(tasks)))
    return found
