"""Prints the table of a sweep's results, for `qhn sweep show` and at the end of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from qhn.cli.options import store_option
from qhn.cli.tables import Column, factor_columns, print_columns, print_shared, print_words
from qhn.cli.words import counted, number_text, spread
from qhn.core.metrics import HEADLINE
from qhn.sweeps.planning.factors import factor_table
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.results.ranking import has_direction, ranked, winners
from qhn.sweeps.results.statistics import SHOWN, GroupSummary, MeanInterval
from qhn.sweeps.store import Store

_STAR = "★"
_LINES_OF_A_LIST = 10


@dataclass(frozen=True)
class View:
    """Which results to show, and in which order.

    Attributes:
        by: the metric by which groups are sorted, and by which the best are marked.
        best: how many of the best groups of each data set to show; None for all groups.
    """

    by: str = HEADLINE
    best: int | None = None


def print_groups(
    console: Console,
    plan: Plan,
    groups: Sequence[GroupSummary],
    everything: str,
    view: View = View(),
) -> None:
    """Print the settings that all groups share, the table of groups, and how to read it.

    Args:
        console: where to print.
        plan: the plan of the sweep. The settings that its groups share are those of all groups,
            also of groups without a result.
        groups: the groups that have results, in the order of the plan.
        everything: the command that writes all columns to a file, for columns that do not fit.
        view: which groups to show, and in which order.
    """
    settings = factor_table(plan.group_configs, over_tasks=plan.over_tasks)
    print_shared(console, settings.shared)
    parts = [members[: view.best] for members in ranked(groups, view.by)]
    rows = [group for members in parts for group in members]
    # The best are chosen among all groups, not only among those that are shown.
    best = winners(groups, view.by)
    starred = {number for number, group in enumerate(rows) if group.group_id in best}
    ends, last = set(), -1
    for members in parts:
        last += len(members)
        ends.add(last)
    stars = [_STAR if number in starred else "" for number in range(len(rows))]
    columns = [
        *([Column("", stars)] if starred else []),
        *factor_columns(settings, [group.group_id for group in rows]),
        *_counts(rows),
        *_metrics(rows, view.by),
    ]
    left_out = print_columns(console, columns, ends, starred)
    print_words(console, _how_to_read(plan, groups, len(rows), view, marked=bool(starred)))
    if left_out:
        print_words(
            console,
            f"[yellow]No room for[/] {', '.join(left_out)}: widen the terminal, pipe the output "
            f"into `less -S`, or run: {escape(everything)}",
        )


def write_all_columns(name: str, store: Store) -> str:
    """The command that writes all columns of a sweep's results to a file."""
    return f"qhn sweep show {name}{store_option(store)} --csv FILE"


def print_flags(console: Console, groups: Sequence[GroupSummary]) -> None:
    """Print which groups have trials that were stopped early or have diagnostic flags."""
    lines = [
        f"[yellow]stopped early[/]: {group.stopped} of {_ended(group)} of {escape(group.group)}"
        for group in groups
        if group.stopped
    ]
    lines += [
        f"[yellow]{name}[/] in {count} of {_ended(group)} of {escape(group.group)}"
        for group in groups
        for name, count in sorted(group.flags.items())
    ]
    print_list(console, lines)


def _ended(group: GroupSummary) -> str:
    # A trial that failed may have flags as well.
    return counted(group.trials + group.failed, "trial")


def print_list(console: Console, lines: list[str]) -> None:
    """Print the first ten lines of a list, and how many more there are."""
    for line in lines[:_LINES_OF_A_LIST]:
        print_words(console, line)
    if len(lines) > _LINES_OF_A_LIST:
        console.print(f"and {len(lines) - _LINES_OF_A_LIST} more", highlight=False)


def _counts(rows: Sequence[GroupSummary]) -> list[Column]:
    trials = [_done(group.trials, group.planned) for group in rows]
    if any(group.tasks is not None for group in rows):
        found = [Column("tasks", [str(group.tasks) for group in rows]), Column("trials", trials)]
    else:
        found = [Column("seeds", trials)]
    for title, numbers, style in (
        ("failed", [group.failed for group in rows], "red"),
        ("stopped\nearly", [group.stopped for group in rows], "yellow"),
    ):
        if any(numbers):
            found.append(Column(title, [str(n or "") for n in numbers], style=style))
    return found


def _done(done: int, planned: int) -> str:
    return str(done) if done == planned else f"{done}/{planned}"


def _metrics(rows: Sequence[GroupSummary], by: str) -> list[Column]:
    """The columns of the metric that is sorted by, of its interval, and of all other metrics.

    The first of them has no name for `print_columns`, so it is never left out.
    """
    intervals = [_interval(group.intervals[by]) for group in rows]
    columns = [
        Column(_title(by), [_spread(group.intervals[by]) for group in rows]),
        Column("95% interval\nof the mean", intervals, "95% interval"),
    ]
    if any(not math.isnan(group.intervals[by].between) for group in rows):
        between = [_deviation(group.intervals[by]) for group in rows]
        columns.append(Column("deviation\nover tasks", between, "deviation over tasks"))
    for name in SHOWN:
        # What no trial reports, such as the entropy on a device that only samples, has no column.
        known = any(not math.isnan(group.intervals[name].mean) for group in rows)
        if name != by and known:
            cells = [_spread(group.intervals[name]) for group in rows]
            columns.append(Column(_title(name), cells, name))
    return columns


def _title(metric: str) -> str:
    """The title of a metric on two lines, so that it is not wider than its cells."""
    part, found, reading = metric.partition("_accuracy_")
    if found:
        return f"{part} accuracy\n{reading.replace('_', ' ')}"
    return metric.replace("_", "\n")


def _spread(value: MeanInterval) -> str:
    if math.isnan(value.mean):
        return "–"
    return spread(value.mean, value.deviation)


def _deviation(value: MeanInterval) -> str:
    return "" if math.isnan(value.between) else number_text(value.between, value.mean)


def _interval(value: MeanInterval) -> str:
    if math.isnan(value.low):
        return ""
    return f"{number_text(value.low, value.mean)} to {number_text(value.high, value.mean)}"


def _how_to_read(
    plan: Plan, groups: Sequence[GroupSummary], n_shown: int, view: View, *, marked: bool
) -> str:
    words = [
        "Mean of the tasks' means ± standard deviation over the seeds of a task; the interval is "
        "over tasks."
        if plan.over_tasks
        else "Mean ± standard deviation over seeds."
    ]
    missing = len(plan.groups) - len(groups)
    if n_shown < len(groups):
        which = " with a result" if missing else ""
        words.append(f"{n_shown} of {len(groups)} groups{which} are shown.")
    if missing:
        are = "is" if missing == 1 else "are"
        words.append(f"{counted(missing, 'group')} without a result {are} left out of the table.")
    if not has_direction(view.by):
        words.append(f"Sorted by {view.by}, of which neither more nor less is better.")
        return " ".join(words)
    complete = not missing and all(group.trials == group.planned for group in groups)
    rule = "" if complete else ", among the groups of which every trial has a result"
    if marked:
        words.append(f"{_STAR} is the best of its data set by {view.by}{rule}.")
    else:
        words.append(f"Sorted by {view.by}; no best is marked before every trial has a result.")
    return " ".join(words)
