"""``qhn sweep``: plan, run, resume, status and list."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from qhn.cli.messages import print_note
from qhn.cli.options import DEFAULT_STORE, StoreOption, TrackingOption
from qhn.cli.progress import standing
from qhn.cli.results import View
from qhn.cli.running import Request, execute
from qhn.cli.schema import print_schema
from qhn.cli.show import show_results
from qhn.core.errors import QhnError
from qhn.core.metrics import HEADLINE
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.spec import notes, parse_spec, read_spec
from qhn.sweeps.store import Store, open_store

sweep_app = typer.Typer(help="Plan, run and follow sweeps.", no_args_is_help=True)

sweep_app.command("schema")(print_schema)

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
    counts = _counts(open_store(store), name)
    if as_json:
        typer.echo(json.dumps(counts))
        return
    Console().print(f"{escape(name)}: {standing(**counts)}.", highlight=False)


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
    """List the sweeps of a store."""
    opened = open_store(store)
    rows: list[dict[str, Any]] = []
    for folder in opened.sweeps():
        try:
            rows.append({"name": folder.name, **_counts(opened, folder.name)})
        except QhnError as error:
            rows.append({"name": folder.name, "error": str(error)})
    if as_json:
        typer.echo(json.dumps(rows))
        return
    console = Console()
    if not rows:
        root = escape(opened.shown)
        console.print(f"no sweeps in {root} yet; start with: qhn sweep run FILE", soft_wrap=True)
        return
    states = ("planned", "finished", "failed", "running")
    table = Table("sweep", box=box.SIMPLE_HEAD)
    for state in states:
        table.add_column(state, justify="right")
    for row in rows:
        cells = (str(row.get(state, "?")) for state in states)
        table.add_row(Text(row["name"]), *cells)
    console.print(table)
    for row in rows:
        if "error" in row:
            console.print(Text(f"{row['name']}: {row['error']}", "red"))


def _say_notes(content: bytes, source: str) -> None:
    for note in notes(content, source):
        print_note(Console(), str(note))


def _counts(store: Store, name: str) -> dict[str, int]:
    kept = store.sweep(name)
    of_sweep = make_plan(parse_spec(kept.read_file(), kept.shown_file))
    ids = [trial.trial_id for trial in of_sweep.trials]
    finished = outcomes(of_sweep, store).keys()
    failed = store.failed(ids) - finished
    running = set(kept.running()) - finished - failed
    return {
        "planned": len(ids),
        "finished": len(finished),
        "failed": len(failed),
        "running": len(running),
    }
