"""Runs a sweep for `qhn sweep run` and `qhn sweep resume`, and prints how it ended."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.live import live_view
from qhn.cli.messages import print_error
from qhn.cli.options import how_to_continue
from qhn.cli.report import print_report
from qhn.cli.reporting import report_at_the_end
from qhn.cli.signals import clean_stops, held_back
from qhn.cli.summary_file import SummaryFile
from qhn.cli.supervisor import INTERRUPTED, supervised
from qhn.cli.words import counted
from qhn.core.errors import QhnError
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.launch import Launch, Share, prepare, run, taken, trials_left_out
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.jobs.commands import submitted_by
from qhn.sweeps.planning.machine import size_text
from qhn.sweeps.store import Store
from qhn.sweeps.tracking import TrackingLocation

_KEPT_TO_THE_END: list[QhnError] = []


@dataclass(frozen=True)
class Request:
    """The options of a run.

    Attributes:
        content: the content of the sweep file.
        source: the name of the file in messages.
        store: where trials are kept.
        tracking_uri: the value of ``--tracking-uri``, or None.
        summary: the path of the summary file, or None.
        cpus: the value of ``--cpus``, or None.
        retry_failed: whether trials that failed before are tried again.
        address: the value of ``--address``, or None.
        started: ``time.monotonic()`` at the start of the command.
        over_budget: whether the sweep may be expected to take more than its budgets.
        report: whether to write a report at the end.
    """

    content: bytes
    source: str
    store: Store
    tracking_uri: str | None
    summary: Path | None
    cpus: int | None
    retry_failed: bool
    address: str | None
    started: float
    over_budget: bool = False
    report: bool = False


def execute(request: Request) -> None:
    """Run a sweep, print how it ended, and raise `typer.Exit` unless everything is done."""
    summary = None if request.summary is None else SummaryFile(request.summary)
    if summary is not None:
        summary.check()
    # Everything that can be wrong with the file is found before the driver is forked.
    launch = prepare(
        request.content,
        request.source,
        request.store,
        request.tracking_uri,
        address=request.address,
        over_budget=request.over_budget,
    )
    resume = _how_to_resume(launch.plan.name, request)

    def hint() -> str:
        return f"{resume} The log is {escape(str(launch.log))}."

    def work() -> int:
        return _exit_code(lambda: _run(request, launch, summary, resume))

    if code := supervised(work, hint):
        raise typer.Exit(code)


def _exit_code(work: Callable[[], None]) -> int:
    """Do the work, print its error if there is one, and return the exit code.

    `qhn.cli.main` cannot do this, because the work runs in a forked process that never returns to
    it.
    """
    try:
        work()
    except typer.Exit as end:
        return int(end.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        raise  # the supervisor handles it
    except QhnError as error:
        # The traceback of the error refers to the objects that Ray had made when it failed to
        # start. If they were freed now, that would wait for threads that may never have begun. So
        # they are kept until the process ends.
        _KEPT_TO_THE_END.append(error)
        return print_error(error)
    except Exception:  # noqa: BLE001 - an error in qhn itself, of which the traceback is needed
        traceback.print_exc()
        return 1
    return 0


def _run(request: Request, launch: Launch, summary: SummaryFile | None, resume: str) -> None:
    console = Console(soft_wrap=True, highlight=False)
    # Signals are handled before anything is printed, because people and scripts may stop the sweep
    # as soon as they see the first line.
    with clean_stops(), taken(launch, request.cpus, held_back) as share:
        try:
            if summary is not None:
                summary.clear()
            _print_head(console, request, launch, share)
            outcome = run(
                launch,
                share,
                _watch,
                retry_failed=request.retry_failed,
                started=request.started,
                shield=held_back,
            )
        except KeyboardInterrupt:
            console.print(f"[yellow]Interrupted.[/] {resume}")
            raise typer.Exit(INTERRUPTED) from None
    if summary is not None:
        summary.write(outcome.summary.to_json() + "\n")
    print_report(console, launch.plan, outcome, launch.store, launch.location)
    # The summary is written, and what the report takes is in no measured time.
    if request.report and outcome.groups and not outcome.summary.interrupted:
        report_at_the_end(console, launch.plan.name, launch.store, launch.location)
    if outcome.summary.interrupted:
        console.print(f"[yellow]Interrupted.[/] {resume}")
        raise typer.Exit(INTERRUPTED)
    # Where only a budget is in the way, a note has said what to do. To resume would not help: the
    # stored copy of the file has the budget that is spent.
    if outcome.summary.remaining > sum(lane.paused for lane in outcome.summary.lanes):
        console.print(resume)
    if outcome.summary.failed or outcome.summary.untracked or outcome.summary.remaining:
        raise typer.Exit(1)


def _watch(board: Board, terminal: TextIO) -> AbstractContextManager[object]:
    return live_view(board, Console(file=terminal, highlight=False))


def _print_head(console: Console, request: Request, launch: Launch, share: Share) -> None:
    """Print what is run, where results and log go, and notes about cores and memory."""
    plan = launch.plan
    console.print(f"[bold]{escape(plan.name)}[/]: {counted(len(plan.trials), 'trial')}")
    console.print(f"store     {escape(launch.store.shown)}")
    console.print(f"tracking  {escape(launch.location.shown)}")
    console.print(f"log       {escape(str(launch.log))}")
    if (cluster := share.cluster) is not None:
        console.print(
            f"ray       attached to {escape(cluster.address)}, with "
            f"{counted(cluster.cpus, 'CPU')} on {counted(cluster.machines, 'machine')}; this sweep "
            f"uses {share.cores}"
        )
    for note in share.notes:
        console.print(f"[yellow]note[/]      {escape(note)}")
    if left_out := trials_left_out(launch):
        console.print(
            f"[yellow]note[/]      {counted(left_out, 'finished trial')} of this sweep's "
            "earlier file are not in this one; MLflow still shows them (a new name would keep "
            "the two apart)"
        )
    if share.others and request.cpus is None:
        names = ", ".join(f"{escape(other.sweep)} ({other.cores})" for other in share.others)
        console.print(
            f"[yellow]cores[/]     other sweeps run on this machine: {names}; this one takes "
            f"{counted(share.cores, 'core')} of {available_cpus()} (--cpus N takes N all the same)"
        )
    live = share.live
    for lane, number in live.trials.items():
        if number < live.wanted[lane]:
            where = "" if lane is None else f" of lane {escape(lane)}"
            console.print(
                f"[yellow]memory[/]    {size_text(live.trial_bytes[lane])} for each trial{where}: "
                f"{number} at once"
            )


def _how_to_resume(name: str, request: Request) -> str:
    options = ""
    if request.tracking_uri is not None:
        # What is printed may be kept in a log, so it must not have a password.
        shown = TrackingLocation(request.tracking_uri).shown
        options += f" --tracking-uri {shlex.quote(shown)}"
    if request.address is not None:
        options += f" --address {shlex.quote(request.address)}"
    if request.over_budget:
        options += " --over-budget"
    command = how_to_continue(name, request.store, options)
    if submitted_by() is not None:
        return f"To go on, submit it again: {escape(command)}"
    return f"Run the same command again to go on, or: {escape(command)}"
