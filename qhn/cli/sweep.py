"""The commands of ``qhn sweep``: they plan, run, follow, stop and show sweeps."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qhn.cli.delete import delete
from qhn.cli.elsewhere import ServerOption, ask_and_print, cluster, elsewhere
from qhn.cli.export import export
from qhn.cli.listing import print_list, print_status
from qhn.cli.logs import has_log, print_log
from qhn.cli.messages import print_note
from qhn.cli.options import DEFAULT_STORE, StoreOption, TrackingOption, store_option
from qhn.cli.results import View
from qhn.cli.running import Request, execute
from qhn.cli.schema import print_schema
from qhn.cli.show import show_results
from qhn.cli.stop import runs_here, stop_sweep
from qhn.core.errors import InvalidValueError, QhnError, SpecError
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
ReportOption = Annotated[
    bool,
    typer.Option(
        "--report/--no-report",
        envvar="QHN_REPORT",
        help="Write a report at the end (see `qhn report`), and keep it with the run in MLflow.",
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
    report: ReportOption = True,
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
            report,
        )
    )


@sweep_app.command()
def submit(
    context: typer.Context,
    file: FileArgument,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            envvar="QHN_ADDRESS",
            metavar="http://HOST:PORT",
            help="The job server of the cluster, which is at the address of Ray's dashboard.",
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        str,
        typer.Option(
            "--store",
            envvar="QHN_STORE",
            help="The store, as the cluster knows it. A folder is one of the head of the cluster; "
            "a folder in QHN_STORE is one of this machine, and is not used.",
            show_default="that of the cluster",
        ),
    ] = DEFAULT_STORE,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            "--tracking-uri",
            help="MLflow's tracking URI, as the cluster knows it.",
            show_default="that of the cluster",
        ),
    ] = None,
    cpus: Annotated[
        int | None,
        typer.Option(
            "--cpus",
            min=1,
            help="How many trials run at once.",
            show_default="one on each CPU of the cluster",
        ),
    ] = None,
    retry_failed: RetryOption = False,
    over_budget: OverBudgetOption = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Follow the sweep to its end, and exit as it does."),
    ] = False,
) -> None:
    """Hand a sweep over to a cluster. It runs there without this machine.

    The file is checked here first. The store and the tracking server are those of the cluster's
    own environment, unless they are given. The same command continues and extends a sweep.
    """
    from qhn.cli.submit import submit_sweep
    from qhn.sweeps.jobs.commands import Options

    if not address:
        raise InvalidValueError(
            "to submit a sweep, the address of a job server must be given, but there is none; name "
            "it with --address http://HOST:8265 or in QHN_ADDRESS, or run the sweep on this "
            "machine with `qhn sweep run`"
        )
    there = cluster(context, address, store)
    content = _read(file, None)
    _say_notes(content, str(file))
    options = Options(there.store, tracking_uri, cpus, retry_failed, over_budget)
    submit_sweep(content, str(file), there, options, wait=wait)


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
    report: ReportOption = True,
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
            report,
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
    context: typer.Context,
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    address: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far a sweep is, here or on a cluster."""
    if (there := elsewhere(context, name, store, address)) is not None:
        ask_and_print(there, "status", name, *(["--json"] if as_json else []))
        return
    print_status(open_store(store), name, as_json)


@sweep_app.command()
def show(
    context: typer.Context,
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    address: ServerOption = None,
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

    A group consists of the trials that differ only by their seeds. Groups are compared separately
    for each data set, and the best one is marked with a star. Groups in which a trial has no
    result are not marked.
    """
    if (there := elsewhere(context, name, store, address)) is not None:
        if csv_file is not None:
            raise InvalidValueError(
                "a CSV file is written where the store is read, so --csv needs a store that can be "
                "read from this machine, such as --store s3://BUCKET/NAME; without --csv the "
                "cluster is asked"
            )
        options = ["--by", by, *([] if best is None else ["--best", str(best)])]
        ask_and_print(there, "show", name, *options)
        return
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
    context: typer.Context,
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    address: ServerOption = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait.")
    ] = 120.0,
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="Kill it. Each running trial loses what it has done since its checkpoint."
        ),
    ] = False,
) -> None:
    """Stop a sweep that runs on this machine or a cluster, as Ctrl-C in its terminal does.

    Running trials are saved, and the sweep can be continued, also after --now. If it is still
    running after the timeout, the exit code is 1.
    """
    console = Console(highlight=False)
    there = elsewhere(context, name, store, address)
    # A store that can be read from here does not mean that its driver runs here.
    if address and (there is not None or not runs_here(open_store(store), name)):
        from qhn.cli.following import stop_there

        there = there or cluster(context, address, store)
        ended = stop_there(there, name, timeout, now)
    else:
        ended = stop_sweep(open_store(store), name, timeout, console, now=now)
    if not ended:
        raise typer.Exit(1)


@sweep_app.command()
def logs(
    context: typer.Context,
    name: NameArgument,
    store: StoreOption = DEFAULT_STORE,
    address: ServerOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new lines until the run has ended.")
    ] = False,
    lines: Annotated[
        int | None,
        typer.Option("--lines", "-n", min=0, metavar="N", help="Print only the last N lines."),
    ] = None,
) -> None:
    """Print the log of a sweep's newest run on this machine, or what it has printed on a cluster.

    Ctrl-C ends the following, and not the sweep.
    """
    there = elsewhere(context, name, store, address)
    # A log is where the driver runs. If the store is in a folder that is shared, that is here too.
    if address and (there is not None or not has_log(open_store(store), name)):
        from qhn.cli.following import print_log_there

        print_log_there(there or cluster(context, address, store), name, follow, lines)
        return
    print_log(open_store(store), name, follow, lines)


sweep_app.command("schema")(print_schema)
sweep_app.command()(export)
sweep_app.command()(delete)


def _read(file: Path, store: Store | None) -> bytes:
    """The content of a sweep file. If the store is here, it may have a sweep of that name.

    Raises:
        SpecError: if it cannot be read; the message helps a person who named a sweep instead.
    """
    name, is_sweep = str(file), False
    # What is no name of a sweep is simply a path.
    with suppress(QhnError):
        is_sweep = store is not None and not file.exists() and store.sweep(name).exists()
    if is_sweep and store is not None:
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
