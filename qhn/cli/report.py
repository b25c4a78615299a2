"""Prints how a run of a sweep ended."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.markup import escape

from qhn.cli.lane_report import print_lane_summaries
from qhn.cli.options import store_option
from qhn.cli.progress import run_in_words
from qhn.cli.results import print_flags, print_groups, print_list, write_all_columns
from qhn.cli.tables import print_words
from qhn.cli.words import counted
from qhn.sweeps.driver.run import RunOutcome
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import local_folder
from qhn.sweeps.tracking import TrackingLocation


def print_report(
    console: Console,
    plan: Plan,
    outcome: RunOutcome,
    store: Store,
    location: TrackingLocation,
) -> None:
    """Print the groups, flags, counts and failures of a run, and how to look at them in MLflow.

    Args:
        console: where to print.
        outcome: how the run ended.
        store: where trials are kept.
        location: the tracking store.
    """
    summary = outcome.summary
    if outcome.groups:
        print_groups(console, plan, outcome.groups, write_all_columns(summary.sweep, store))
        print_flags(console, outcome.groups)
    print_lane_summaries(console, summary.lanes)
    print_words(console, run_in_words(summary))
    if summary.overhead_ms_per_trial is not None:
        console.print(
            f"{summary.training_seconds:.1f} s of training on {counted(summary.slots, 'slot')}, "
            f"{summary.overhead_ms_per_trial:.0f} ms per trial beyond it"
        )
    if summary.finished + summary.skipped:
        console.print(f"results digest {summary.results_digest[:16]}")
    _print_failures(console, outcome, store)
    print_list(console, [f"[yellow]note[/] {escape(note)}" for note in outcome.notes])
    if summary.untracked:
        console.print(
            f"[yellow]MLflow lacks the newest state of {counted(summary.untracked, 'run')}[/] "
            "(see the log); the store has it, and the same command brings MLflow up to date"
        )
    console.print(_where_to_browse(summary.sweep, store, location))


def _print_failures(console: Console, outcome: RunOutcome, store: Store) -> None:
    lines = [
        f"[red]failed[/] {trial.trial_id} ({escape(trial.label)}): {escape(_first(text))}"
        for trial, text in outcome.failures
    ]
    print_list(console, lines)
    if lines:
        console.print(
            f"tracebacks are in {escape(store.shown)}/<trial>/error.json; "
            "once mended, run the same command with --retry-failed"
        )


def _first(text: str) -> str:
    """The first line of a message. Ray writes many lines about a process that died."""
    return text.strip().partition("\n")[0]


def _where_to_browse(name: str, store: Store, location: TrackingLocation) -> str:
    if location.database is None:
        return f"browse the runs at {escape(location.shown)}"
    if location.database != local_folder(store) / "mlflow.db":
        option = f" --tracking-uri {shlex.quote(location.uri)}"
    else:
        option = store_option(store)
    return escape(f"browse the runs with: qhn ui {name}{option}")
