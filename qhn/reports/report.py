"""The content of a report: everything that its page, its text and its numbers are made from."""

from __future__ import annotations

from dataclasses import dataclass, field

from qhn.core.metrics import HEADLINE
from qhn.reports.bootstrap import Estimate
from qhn.reports.chosen import ChosenSetting
from qhn.reports.comparison import DEFAULT_ALPHA, DEFAULT_TIE, Comparison
from qhn.reports.grouping import Group
from qhn.reports.problems import Enumerated
from qhn.reports.profiles import Profile
from qhn.reports.provenance import SweepFacts
from qhn.reports.ranks import AverageRanks
from qhn.reports.tables import GroupRow


@dataclass(frozen=True)
class DatasetReport:
    """What is known of one data set.

    Attributes:
        name: its label, such as ``moons``.
        tasks: the names of its tasks.
        groups: its groups, for figures, in the order of the sweep files.
        rows: the row of each group that has a result.
        comparisons: each group compared with its baseline.
        chosen: settings that were chosen on some tasks and judged on others.
        not_compared: the groups that have no baseline, or none with a common trial.
        enumerated: what is known exactly of the tasks whose networks were all looked at, by the
            name of the task and the name of the network.
        notes: what a reader must know of these tasks.
    """

    name: str
    tasks: tuple[str, ...]
    groups: tuple[Group, ...]
    rows: tuple[GroupRow, ...]
    comparisons: tuple[Comparison, ...]
    chosen: tuple[ChosenSetting, ...] = ()
    not_compared: tuple[str, ...] = ()
    enumerated: tuple[tuple[str, str, Enumerated], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AcrossDatasets:
    """Groups that all data sets have, compared over all of them.

    Attributes:
        labels: the groups.
        datasets: the data sets.
        ranks: their average ranks over the data sets.
        middle_means: the interquartile mean of each group over all tasks and seeds.
        improvement: for each group the probability that one of its runs is better than one of the
            baseline's on the same task; None for the baseline itself.
        baseline: the label of the baseline.
        profiles: the performance profile of each group.
        runs: how many tasks and seeds of each count.
    """

    labels: tuple[str, ...]
    datasets: tuple[str, ...]
    ranks: AverageRanks
    middle_means: tuple[Estimate, ...]
    improvement: tuple[Estimate | None, ...]
    baseline: str | None
    profiles: tuple[Profile, ...]
    runs: tuple[int, int]


@dataclass(frozen=True)
class Report:
    """A report about one or several sweeps.

    Attributes:
        title: the names of the sweeps.
        description: the descriptions of the sweeps, as their files have them.
        datasets: what is known of each data set.
        across: comparisons over the data sets; None with one data set or without common groups.
        sweeps: what was run.
        missing_controls: the names of controls that no sweep has.
        metric: the metric by which groups are compared.
        tie: differences of a smaller size count as ties.
        alpha: the level of the tests.
        notes: what a reader must know of the whole report.
    """

    title: str
    description: str
    datasets: tuple[DatasetReport, ...]
    across: AcrossDatasets | None
    sweeps: tuple[SweepFacts, ...]
    missing_controls: tuple[str, ...] = ()
    metric: str = HEADLINE
    tie: float = DEFAULT_TIE
    alpha: float = DEFAULT_ALPHA
    notes: tuple[str, ...] = field(default=())

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """All comparisons of all data sets. Holm's correction is over all of them."""
        return tuple(one for dataset in self.datasets for one in dataset.comparisons)
