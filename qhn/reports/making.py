"""Makes the content of a report from what the store has of one or several sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qhn.core.errors import InvalidValueError, NotFoundError
from qhn.reports.across import across_datasets
from qhn.reports.chosen import ChosenSetting, chosen_settings
from qhn.reports.comparisons import compare_groups
from qhn.reports.computed import computed_values
from qhn.reports.grouping import Group, by_dataset
from qhn.reports.options import DEFAULT, ReportOptions
from qhn.reports.problems import Enumerated, Problems
from qhn.reports.provenance import SweepFacts, sweep_facts
from qhn.reports.report import DatasetReport, Report
from qhn.reports.tables import Computed, group_row
from qhn.sweeps.results.posteriors import Posteriors
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.results.table import Row, read_rows
from qhn.sweeps.store import Store

#: The controls that a sweep can have beside its hypernetworks.
CONTROLS = ("random_search", "annealing", "straight_through", "mean_field")
_PICKED = (
    "The group with the best value in a table was picked on the test data of the same tasks, which "
    "flatters it. Choose on some tasks and judge on others with --choose-on and --judge-on, or by "
    "training points that were held out, with --choose-by."
)


def make_report(names: Sequence[str], store: Store, options: ReportOptions = DEFAULT) -> Report:
    """The report about one or several sweeps. Nothing is trained, and nothing is changed.

    Args:
        names: the names of the sweeps. A trial that several of them plan counts once.
        store: where trials are kept.
        options: the choices of the report.

    Raises:
        NotFoundError: if the store has no such sweep, or none of their trials has a result.
        InvalidValueError: if no data set has the baseline, or a choice is not possible.
        StoreError: if the store cannot be read.
        SpecError: if another version of qhn has written the file of a sweep.
    """
    facts: list[SweepFacts] = []
    rows: dict[str, Row] = {}
    for name in dict.fromkeys(names):
        kept = store.sweep(name)
        plan = stored_plan(kept)
        found = read_rows(plan, store)
        facts.append(sweep_facts(plan, kept.read_file(), found))
        rows |= {row.trial.trial_id: row for row in found}
    if not any(row.result is not None for row in rows.values()):
        raise NotFoundError(
            f"a report needs a trial that has ended, but {', '.join(names)} has none with a "
            f"result; run it first: qhn sweep resume {names[0]}"
        )
    return _report(facts, list(rows.values()), store, options)


def _report(
    facts: Sequence[SweepFacts], rows: Sequence[Row], store: Store, options: ReportOptions
) -> Report:
    problems = Problems()
    # By problem, so that the tables of each are made only once and need not be kept.
    ordered = sorted(rows, key=lambda row: row.trial.config.problem_key)
    computed = computed_values(ordered, Posteriors(store), problems, options.kale)
    datasets = by_dataset(rows)
    table = compare_groups(
        rows,
        options.metric,
        baseline=options.baseline,
        tie=options.tie,
        alpha=options.alpha,
    )
    parts = []
    for name, groups in datasets.items():
        part = _dataset(name, groups, options, computed, problems)
        parts.append(
            replace(
                part,
                comparisons=tuple(c for c in table.comparisons if c.subject.dataset == name),
                not_compared=tuple(label for of, label in table.not_compared if of == name),
            )
        )
    used = {group.objective for groups in datasets.values() for group in groups}
    chosen = options.choose_on is not None or options.choose_by is not None
    notes = [] if chosen else [_PICKED]
    left = sum(row.status == "waiting" for row in rows)
    if left:
        notes.append(f"{left:,} planned trials have not ended yet; the report is about the others.")
    return Report(
        title=", ".join(one.name for one in facts),
        description=" ".join(one.description for one in facts if one.description),
        datasets=tuple(parts),
        across=across_datasets(datasets, options),
        sweeps=tuple(facts),
        missing_controls=tuple(name for name in CONTROLS if name not in used),
        metric=options.metric,
        tie=options.tie,
        alpha=options.alpha,
        notes=tuple(notes),
    )


def _dataset(
    name: str,
    groups: Sequence[Group],
    options: ReportOptions,
    computed: Computed,
    problems: Problems,
) -> DatasetReport:
    found = [group_row(group, options.metric, computed) for group in groups]
    chosen: Sequence[ChosenSetting] = ()
    notes = []
    try:
        chosen = chosen_settings(name, groups, options)
    except InvalidValueError as error:
        # Other data sets may have what this one lacks, in a sweep that is not finished.
        notes.append(f"Nothing could be chosen here: {error}")
    tasks = tuple(dict.fromkeys(task for group in groups for task in group.rows))
    if len(tasks) == 1:
        notes.append(
            f"All trials are on one task ({tasks[0]}): what is said here is about this task only, "
            "and nothing is claimed about other data of the same kind. data_seeds in the sweep "
            "file adds tasks."
        )
    dataset = groups[0].first.config.dataset
    if dataset.available is not None:
        notes.append(
            f"The tasks of {dataset.name} are no independent samples: all of them are drawn from "
            f"the same {dataset.available:,} points, so that they overlap, and the intervals over "
            "them are too short."
        )
    return DatasetReport(
        name=name,
        tasks=tasks,
        groups=tuple(groups),
        rows=tuple(row for row in found if row is not None),
        comparisons=(),
        chosen=tuple(chosen),
        enumerated=tuple(_enumerated(groups, problems)),
        notes=tuple(notes),
    )


def _enumerated(groups: Sequence[Group], problems: Problems) -> list[tuple[str, str, Enumerated]]:
    found: dict[tuple[str, str], Enumerated] = {}
    for group in groups:
        for task, by_seed in group.rows.items():
            config = next(iter(by_seed.values())).trial.config
            network = config.network
            size = "" if network.hidden is None else f" hidden={network.hidden}"
            key = task, f"{network.kind}{size}"
            if key not in found and (known := problems.known(config)) is not None:
                found[key] = known
    return [(task, network, known) for (task, network), known in found.items()]
