"""``qhn sweep``: the commands that plan, run, follow, stop and show sweeps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qhn.cli.delete import delete
from qhn.cli.export import export
from qhn.cli.listing import print_list, print_status
from qhn.cli.logs import print_log
from qhn.cli.messages import print_note
from qhn.cli.options import DEFAULT_STORE, StoreOption, TrackingOption
from qhn.cli.results import View
from qhn.cli.running import Request, execute
from qhn.cli.schema import print_schema
from qhn.cli.show import show_results
from qhn.cli.stop import stop_sweep
from qhn.core.metrics import HEADLINE
from qhn.sweeps.spec import notes, read_spec
from qhn.sweeps.store import open_store

sweep_app = typer.Typer(help="Plan, run, follow, stop and compare sweeps.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="The sweep file (YAML).", show_default=False)]
NameArgument = Annotated[str, typer.Argument(help="The sweep's name.", show_default=False)]
SummaryOption = Annotated[
    Path | None, typer.Option("--summary", help="Write the run's account to this JSON file.")
]
CpusOption = Annotated[
    int | None, typer.Option("--cpus", min=1, help="Trials at once; else one per core.")
]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="Run trials that failed before once more.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for use by programs.")]


@sweep_app.command()
def run(
    file: FileArgument,
    store: StoreOption = DEFAULT_STORE,
    tracking_uri: TrackingOption = None,
    summary: SummaryOption = None,
    cpus: CpusOption = None,
    retry_failed: RetryOption = False,
) -> None:
    """Run a sweep, or what is left of it: the same command starts, resumes and extends."""
    started = time.monotonic()
    content, opened = read_spec(file), open_store(store)
    _say_notes(content, str(file))
    execute(Request(content, str(file), opened, tracking_uri, summary, cpus, retry_failed, started))


@sweep_app.command()
def resume(
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    tracking_uri: TrackingOption = None,
    summary: SummaryOption = None,
    cpus: CpusOption = None,
    retry_failed: RetryOption = False,
) -> None:
    """Go on with a sweep from the copy of its file that the store keeps."""
    started = time.monotonic()
    opened = open_store(store)
    kept = opened.sweep(name)
    content, source = kept.read_file().encode(), kept.shown_file
    execute(Request(content, source, opened, tracking_uri, summary, cpus, retry_failed, started))


@sweep_app.command()
def plan(file: FileArgument, store: StoreOption = DEFAULT_STORE, cpus: CpusOption = None) -> None:
    """Show what would run, and what it would take; start nothing."""
    from qhn.cli.planning import show_plan

    content, opened = read_spec(file), open_store(store)
    _say_notes(content, str(file))
    show_plan(content, str(file), opened, cpus, Console())


@sweep_app.command()
def status(
    name: NameArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Show how far a sweep is."""
    print_status(open_store(store), name, as_json)


@sweep_app.command()
def show(
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    by: Annotated[
        str, typer.Option("--by", metavar="METRIC", help="What to sort by and mark the best of.")
    ] = HEADLINE,
    best: Annotated[
        int | None,
        typer.Option(
            "--best", min=1, metavar="K", help="Show the K best groups of each data set alone."
        ),
    ] = None,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write all groups and metrics to a CSV file."),
    ] = None,
) -> None:
    """Show the results of a sweep; nothing is run.

    Groups of trials that differ by their seed alone are compared within each data set. The best of
    each data set, among the groups of which every trial has a result, has a star.
    """
    show_results(open_store(store), name, View(by, best), csv_file, Console(highlight=False))


@sweep_app.command("list")
def list_sweeps(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the sweeps of a store, how far they are, and what they take on disk.

    What a sweep takes is its own folder and its trials. A trial that several sweeps plan is kept
    once, but counts in each of them.
    """
    print_list(open_store(store), as_json)


@sweep_app.command()
def stop(
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait.")
    ] = 120.0,
) -> None:
    """Stop a sweep that runs on this machine, as Ctrl-C in its terminal does.

    Trials that run are kept as far as they are, and the sweep can be resumed. If it has not ended
    when the time is over, the exit code is 1.
    """
    if not stop_sweep(open_store(store), name, timeout, Console(highlight=False)):
        raise typer.Exit(1)


@sweep_app.command()
def logs(
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the sweep's run is over.")
    ] = False,
    lines: Annotated[
        int | None,
        typer.Option("--lines", "-n", min=0, metavar="N", help="The last N lines alone."),
    ] = None,
) -> None:
    """Print the log of a sweep's newest run on this machine."""
    print_log(open_store(store), name, follow, lines)


sweep_app.command("schema")(print_schema)
sweep_app.command()(export)
sweep_app.command()(delete)


def _say_notes(content: bytes, source: str) -> None:
    for note in notes(content, source):
        print_note(Console(), str(note))
