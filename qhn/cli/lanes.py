"""``qhn lanes``: what is under way in the queues of devices, and the jobs that were paid for."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.lane_words import spent_text, states_text
from qhn.cli.options import DEFAULT_STORE, StoreOption
from qhn.cli.tables import Column, print_columns, print_words
from qhn.cli.words import counted, duration
from qhn.core.errors import InvalidValueError
from qhn.sweeps.planning.prices import amount_text
from qhn.sweeps.results.lane_status import JobLine, LaneStatus, find_queue, job_lines, lane_status
from qhn.sweeps.store import Store, open_store

lanes_app = typer.Typer(
    help="Show queues of quantum processors, and the jobs that were submitted to them.",
    no_args_is_help=True,
)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for use by programs.")]


@lanes_app.command()
def status(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show how the lanes of all sweeps in a store stand, and what they have used."""
    opened = open_store(store)
    found = lane_status(opened)
    if as_json:
        typer.echo(json.dumps([line.as_json() for line in found]))
    else:
        _print_status(Console(highlight=False), opened, found)


@lanes_app.command()
def jobs(
    name: Annotated[
        str,
        typer.Argument(help="The name of a lane, of its queue, or of a sweep.", show_default=False),
    ],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    resubmit: Annotated[
        str | None,
        typer.Option(
            "--resubmit",
            metavar="ID",
            help="Say that a job is not at the provider, so that its steps are submitted again.",
        ),
    ] = None,
    abandon: Annotated[
        str | None,
        typer.Option(
            "--abandon",
            metavar="ID",
            help="Give a job up. It counts as paid, and its steps are submitted again.",
        ),
    ] = None,
) -> None:
    """List the jobs of a lane, or of a sweep.

    If it cannot be found out whether a job was submitted, its trial stops and asks for one of the
    two options. Look at the provider's own list of jobs before you choose.
    """
    opened = open_store(store)
    queue, sweep = find_queue(opened, name)
    if resubmit is not None and abandon is not None:
        raise InvalidValueError(
            "one of --resubmit and --abandon can be given, but got both; call the command twice"
        )
    if resubmit is not None or abandon is not None:
        _decide(opened, queue, resubmit, abandon)
        return
    found = job_lines(opened, queue, sweep)
    if as_json:
        typer.echo(json.dumps([line.as_json() for line in found]))
    else:
        _print_jobs(Console(highlight=False), queue, found)


def _decide(store: Store, queue: str, resubmit: str | None, abandon: str | None) -> None:
    from qhn.sweeps.results.lane_decisions import give_up, let_resubmit

    console = Console(soft_wrap=True, highlight=False)
    if abandon is not None:
        record = give_up(store, queue, abandon)
        console.print(
            f"{escape(abandon)} is given up, and counts as paid: "
            f"{amount_text(record.used.qpu_seconds)} QPU s, {amount_text(record.used.cost)} in "
            "money. Run its sweep with --retry-failed: its steps are submitted anew."
        )
    elif resubmit is not None:
        let_resubmit(store, queue, resubmit)
        console.print(
            f"{escape(resubmit)} counts as never submitted, and costs nothing. "
            "Run its sweep with --retry-failed: its steps are submitted anew."
        )


def _print_status(console: Console, store: Store, lines: list[LaneStatus]) -> None:
    if not lines:
        root = escape(store.shown)
        console.print(f"no sweep in {root} has used a queue yet", soft_wrap=True)
        return
    print_columns(
        console,
        [
            Column("lane", [line.lane or "?" for line in lines], is_text=True),
            Column("sweep", [line.sweep for line in lines], is_text=True),
            Column("now", [_now(line) for line in lines], is_text=True),
            Column("jobs", [f"{line.jobs:,}" for line in lines]),
            Column("open", [f"{line.open_jobs:,}" for line in lines]),
            Column("spent", [spent_text(n.spent, n.budget, n.currency) for n in lines]),
            Column("queue", [line.queue for line in lines], "queue", is_text=True),
        ],
    )
    for line in lines:
        for note in line.notes:
            print_words(console, f"{escape(line.lane or line.queue)}: {escape(note)}")


def _now(line: LaneStatus) -> str:
    text = states_text(line.states) if line.is_run else "not run now"
    if line.paused:
        text += f"; {counted(line.paused, 'trial')} stopped: budget spent"
    return text


def _print_jobs(console: Console, queue: str, lines: list[JobLine]) -> None:
    if not lines:
        console.print(f"no job was submitted to {escape(queue)} yet", soft_wrap=True)
        return

    def cells(name: str) -> list[Any]:
        return [getattr(line, name) for line in lines]

    print_columns(
        console,
        [
            Column("submission id", cells("submission"), is_text=True),
            Column("state", cells("state"), is_text=True),
            Column("job id", [job or "" for job in cells("job_id")]),
            Column("sweep", [", ".join(sweeps) for sweeps in cells("sweeps")], "sweep"),
            Column("trials", [str(len(trials)) for trials in cells("trials")], "trials"),
            Column("steps", [_range(steps) for steps in cells("steps")], "steps"),
            Column("shots", [f"{line.used.shots:,}" for line in lines], "shots"),
            Column("QPU time", [duration(line.used.qpu_seconds) for line in lines], "QPU time"),
            Column("cost", [amount_text(line.used.cost) for line in lines], "cost"),
        ],
    )
    for line in lines:
        if line.why:
            print_words(console, f"{escape(line.submission)}: {escape(line.why)}")
    still = sum(not line.is_over for line in lines)
    if still:
        print_words(
            console,
            f"{counted(still, 'job')} may still be at the provider, with what is reserved for "
            f"{'it' if still == 1 else 'them'} in the table. A run of the sweep takes up what is "
            "there.",
        )


def _range(steps: tuple[int, ...]) -> str:
    few = sorted(set(steps))
    return ", ".join(map(str, few[:3])) + (", …" if len(few) > 3 else "")
