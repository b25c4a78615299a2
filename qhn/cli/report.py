"""How a run of a sweep ended, in words and one table."""

from __future__ import annotations

import shlex

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from qhn.cli.options import store_option
from qhn.cli.words import counted, duration, spread
from qhn.core.metrics import ACCURACIES, BY_NAME
from qhn.sweeps.driver.run import RunOutcome
from qhn.sweeps.results.statistics import GroupSummary
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import local_folder
from qhn.sweeps.tracking import TrackingLocation

_LINES_OF_A_LIST = 10
_TEST = [metric.name for metric in ACCURACIES if metric.name.startswith("test_")]
# Metric, column title, and the width of the terminal from which on there is room for it.
_COLUMNS = (
    *(
        (name, name.removeprefix("test_accuracy_").replace("_", " "), width)
        for name, width in zip(_TEST, (0, 0, 90, 105), strict=True)
    ),
    ("entropy", BY_NAME["entropy"].title, 120),
)


def print_report(
    console: Console, outcome: RunOutcome, store: Store, location: TrackingLocation
) -> None:
    """Print groups, flags, counts, failures, and where to look next."""
    if outcome.groups:
        console.print(_group_table(outcome.groups, console.width))
        _print_flags(console, outcome.groups)
    summary = outcome.summary
    words = [f"{summary.finished} finished", f"{summary.skipped} finished before"]
    if summary.stopped:
        words.append(f"{summary.stopped} of these stopped early")
    if summary.failed:
        words.append(f"[red]{summary.failed} failed[/]")
    if summary.remaining:
        words.append(f"[yellow]{summary.remaining} left[/]")
    console.print(f"{', '.join(words)} of {summary.trials} in {duration(summary.wall_seconds)}")
    if summary.overhead_ms_per_trial is not None:
        console.print(
            f"{summary.training_seconds:.1f} s of training on {counted(summary.slots, 'slot')}, "
            f"{summary.overhead_ms_per_trial:.0f} ms per trial beyond it"
        )
    if summary.finished + summary.skipped:
        console.print(f"results digest {summary.results_digest[:16]}")
    _print_failures(console, outcome, store)
    _print_list(console, [f"[yellow]set aside[/] {escape(note)}" for note in outcome.notes])
    if summary.untracked:
        console.print(
            f"[yellow]MLflow lacks the newest state of {counted(summary.untracked, 'run')}[/] "
            "(see the log); the store has it, and the same command brings MLflow up to date"
        )
    console.print(_where_to_browse(store, location))


def _group_table(groups: list[GroupSummary], width: int) -> Table:
    columns = [(metric, title) for metric, title, needed in _COLUMNS if width >= needed]
    table = Table(
        title="test accuracy, mean ± standard deviation over seeds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("group", overflow="fold", min_width=20)
    table.add_column("seeds", justify="right")
    for _, title in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for group in groups:
        intervals = (group.intervals[metric] for metric, _ in columns)
        numbers = (spread(value.mean, value.deviation) for value in intervals)
        table.add_row(Text(group.group), str(group.trials), *numbers)
    return table


def _print_flags(console: Console, groups: list[GroupSummary]) -> None:
    lines = [
        f"[yellow]stopped early[/]: {group.stopped} of {group.trials} trials of "
        f"{escape(group.group)}"
        for group in groups
        if group.stopped
    ]
    lines += [
        f"[yellow]{name}[/] in {count} of {group.trials} trials of {escape(group.group)}"
        for group in groups
        for name, count in sorted(group.flags.items())
    ]
    _print_list(console, lines)


def _print_failures(console: Console, outcome: RunOutcome, store: Store) -> None:
    lines = [
        f"[red]failed[/] {trial.trial_id} ({escape(trial.label)}): {escape(_first(text))}"
        for trial, text in outcome.failures
    ]
    _print_list(console, lines)
    if lines:
        console.print(
            f"tracebacks are in {escape(store.shown)}/<trial>/error.json; "
            "once mended, run the same command with --retry-failed"
        )


def _first(text: str) -> str:
    """The first line: what Ray says of a process that died takes many."""
    return text.strip().partition("\n")[0]


def _print_list(console: Console, lines: list[str]) -> None:
    for line in lines[:_LINES_OF_A_LIST]:
        console.print(line)
    if len(lines) > _LINES_OF_A_LIST:
        console.print(f"and {len(lines) - _LINES_OF_A_LIST} more")


def _where_to_browse(store: Store, location: TrackingLocation) -> str:
    if location.database is None:
        return f"browse the runs at {escape(location.shown)}"
    if location.database.parent != local_folder(store):
        return escape(f"browse the runs with: qhn ui --tracking-uri {shlex.quote(location.uri)}")
    return escape(f"browse the runs with: qhn ui{store_option(store)}")
