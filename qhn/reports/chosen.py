"""Settings of λ and h that were chosen on some tasks and are judged on others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from qhn.core.metrics import BY_NAME
from qhn.reports.choice import Choice, choose
from qhn.reports.compare import compare_means, corrected
from qhn.reports.comparison import Comparison, Subject
from qhn.reports.grouping import Group
from qhn.reports.options import ReportOptions, data_seeds
from qhn.reports.pairs import Scores, pair


@dataclass(frozen=True)
class ChosenSetting:
    """The best setting of one objective, and how it compares with the baseline on other tasks.

    Attributes:
        objective: the name of the objective, with what its groups share beside it.
        choice: the chosen group, and where it was chosen and judged.
        comparison: the comparison on the tasks on which it is judged; None without a baseline.
    """

    objective: str
    choice: Choice
    comparison: Comparison | None


def chosen_settings(
    dataset: str, groups: Sequence[Group], options: ReportOptions
) -> list[ChosenSetting]:
    """Choose the best group of each objective on some tasks, and judge it on others.

    Groups that share everything but the settings of their objective compete with each other. Holm's
    correction is over the comparisons of one data set.

    Args:
        dataset: the label of the data set.
        groups: its groups.
        options: the metric, and the data seeds on which to choose and to judge.

    Raises:
        InvalidValueError: if no group has results on the tasks on which to choose or to judge.
    """
    if options.choose_on is not None and options.judge_on is not None:
        on = _tasks(groups, data_seeds("choose-on", options.choose_on))
        then = _tasks(groups, data_seeds("judge-on", options.judge_on))
    elif options.choose_by is not None:
        on = then = _tasks(groups, None)
    else:
        return []
    by = options.choose_by or options.metric
    families: dict[tuple[object, str], list[Group]] = defaultdict(list)
    for group in groups:
        families[group.without_objective, group.objective].append(group)
    found = []
    for (rest, objective), members in families.items():
        if objective == "mle":
            continue
        baseline = _baseline(families.get((rest, "mle"), []), groups, options.baseline)
        scores = {group.label: group.scores(by) for group in members}
        choice = choose(scores, on, then, BY_NAME[by].better)
        if options.choose_by is not None:
            (group,) = (group for group in members if group.label == choice.label)
            judged = group.scores(options.metric)
            there = {task: judged[task] for task in choice.judged_on if task in judged}
            choice = replace(choice, scores=there, by_test=False)
        found.append(ChosenSetting(objective, choice, _judged(dataset, choice, baseline, options)))
    tests = [one.comparison for one in found if one.comparison is not None]
    values = iter(corrected(tests))
    return [
        one if one.comparison is None else replace(one, comparison=next(values)) for one in found
    ]


def _tasks(groups: Sequence[Group], seeds: range | None) -> list[str]:
    """The names of the tasks with these data seeds, or of all, in the order of the sweep."""
    names = dict.fromkeys(
        task
        for group in groups
        for task, by_seed in group.rows.items()
        if seeds is None or next(iter(by_seed.values())).trial.config.dataset.seed in seeds
    )
    return list(names)


def _baseline(plain: list[Group], groups: Sequence[Group], label: str | None) -> Group | None:
    if label is not None:
        return next((group for group in groups if group.label == label), None)
    return plain[0] if plain else None


def _judged(
    dataset: str, choice: Choice, baseline: Group | None, options: ReportOptions
) -> Comparison | None:
    if baseline is None:
        return None
    theirs: Scores = {
        task: values
        for task, values in baseline.scores(options.metric).items()
        if task in choice.judged_on
    }
    if not pair(choice.scores, theirs):
        return None
    subject = Subject(dataset, options.metric, choice.label, baseline.label)
    return compare_means(
        subject,
        choice.scores,
        theirs,
        tie=options.tie,
        alpha=options.alpha,
        chosen_here=choice.chosen_here,
    )
