"""The commands of ``qhn sweep``: they plan, run, follow, stop and show sweeps."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qhn.cli.delete import delete
from qhn.cli.export import export
from qhn.cli.listing import print_list, print_status
from qhn.cli.logs import print_log
from qhn.cli.messages import print_note
from qhn.cli.options import DEFAULT_STORE, StoreOption, TrackingOption, store_option
from qhn.cli.results import View
from qhn.cli.running import Request, execute
from qhn.cli.schema import print_schema
from qhn.cli.show import show_results
from qhn.cli.stop import stop_sweep
from qhn.core.errors import QhnError, SpecError
from qhn.core.metrics import HEADLINE
from qhn.sweeps.spec import notes, read_spec
from qhn.sweeps.store import Store, open_store

sweep_app = typer.Typer(help="Plan, run, follow, stop and compare sweeps.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="The sweep file (YAML).", show_default=False)]
NameArgument = Annotated[str, typer.Argument(help="The sweep's name.", show_default=False)]
SummaryOption = Annotated[
    Path | None, typer.Option("--summary", help="Write a summary of the run to this JSON file.")
]
CpusOption = Annotated[
    int | None,
    typer.Option(
        "--cpus",
        min=1,
        help="How many trials run at once.",
        show_default="one on each free core",
    ),
]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="Also run trials that failed before.")
]
OverBudgetOption = Annotated[
    bool,
    typer.Option("--over-budget", help="Also run a sweep that is expected to exceed a budget."),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="auto|HOST:PORT",
        help="Run on a Ray that is there already, of which this machine is a part.",
        show_default="a Ray of its own",
    ),
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
    over_budget: OverBudgetOption = False,
    address: AddressOption = None,
) -> None:
    """Run a sweep, or what is left of it. The same command starts, continues and extends it."""
    started = time.monotonic()
    opened = open_store(store)
    content = _read(file, opened)
    _say_notes(content, str(file))
    execute(
        Request(
            content,
            str(file),
            opened,
            tracking_uri,
            summary,
            cpus,
            retry_failed,
            address,
            started,
            over_budget,
        )
    )


@sweep_app.command()
def resume(
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    tracking_uri: TrackingOption = None,
    summary: SummaryOption = None,
    cpus: CpusOption = None,
    retry_failed: RetryOption = False,
    over_budget: OverBudgetOption = False,
    address: AddressOption = None,
) -> None:
    """Continue a sweep from the copy of its file that the store keeps."""
    started = time.monotonic()
    opened = open_store(store)
    kept = opened.sweep(name)
    content, source = kept.read_file().encode(), kept.shown_file
    execute(
        Request(
            content,
            source,
            opened,
            tracking_uri,
            summary,
            cpus,
            retry_failed,
            address,
            started,
            over_budget,
        )
    )


@sweep_app.command()
def plan(
    file: FileArgument,
    store: StoreOption = DEFAULT_STORE,
    cpus: CpusOption = None,
    over_budget: Annotated[
        bool,
        typer.Option("--over-budget", help="Do not refuse a sweep that exceeds a budget."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what would run, and the time, memory and money that it would take.

    Nothing is started, and no device with a queue is asked for anything.
    """
    from qhn.cli.planning import show_plan

    opened = open_store(store)
    content = _read(file, opened)
    if not as_json:
        _say_notes(content, str(file))
    show_plan(content, str(file), opened, cpus, Console(), as_json=as_json, over_budget=over_budget)


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
        str, typer.Option("--by", metavar="METRIC", help="Sort groups, and mark the best, by this.")
    ] = HEADLINE,
    best: Annotated[
        int | None,
        typer.Option(
            "--best", min=1, metavar="K", help="Show only the K best groups of each data set."
        ),
    ] = None,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write all groups and metrics to a CSV file."),
    ] = None,
) -> None:
    """Show the results of a sweep. Nothing is run.

    A group consists of the trials that differ only by their seed. Groups are compared separately
    for each data set, and the best one is marked with a star. Groups in which a trial has no
    result are not marked.
    """
    show_results(open_store(store), name, View(by, best), csv_file, Console(highlight=False))


@sweep_app.command("list")
def list_sweeps(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the sweeps of a store, their progress, and the disk space that they use.

    The disk space is that of the sweep's own files, its trials and its artifacts of MLflow. A trial
    that several sweeps plan is stored once, but counts for each of them.
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

    Running trials are saved, and the sweep can be resumed. If it is still running after the
    timeout, the exit code is 1.
    """
    if not stop_sweep(open_store(store), name, timeout, Console(highlight=False)):
        raise typer.Exit(1)


@sweep_app.command()
def logs(
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new lines until the run has ended.")
    ] = False,
    lines: Annotated[
        int | None,
        typer.Option("--lines", "-n", min=0, metavar="N", help="Print only the last N lines."),
    ] = None,
) -> None:
    """Print the log of a sweep's newest run on this machine."""
    print_log(open_store(store), name, follow, lines)


sweep_app.command("schema")(print_schema)
sweep_app.command()(export)
sweep_app.command()(delete)


def _read(file: Path, store: Store) -> bytes:
    """The content of a sweep file.

    Raises:
        SpecError: if it cannot be read; the message helps a person who named a sweep instead.
    """
    name, is_sweep = str(file), False
    # What is no name of a sweep is simply a path.
    with suppress(QhnError):
        is_sweep = not file.exists() and store.sweep(name).exists()
    if is_sweep:
        options = store_option(store)
        raise SpecError(
            f"this command takes a sweep file, but {name!r} is the name of a sweep; continue the "
            f"sweep with `qhn sweep resume {name}{options}`, or see its results with "
            f"`qhn sweep show {name}{options}`"
        )
    return read_spec(file)


def _say_notes(content: bytes, source: str) -> None:
    for note in notes(content, source):
        print_note(Console(), str(note))
