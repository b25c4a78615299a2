"""What `qhn sweep run` and `resume` share: run, watch, and say how it ended."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.live import live_view
from qhn.cli.messages import print_error
from qhn.cli.options import store_option
from qhn.cli.report import print_report
from qhn.cli.signals import clean_stops, held_back
from qhn.cli.summary_file import SummaryFile
from qhn.cli.supervisor import INTERRUPTED, supervised
from qhn.cli.words import counted
from qhn.core.errors import QhnError, StoreError
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.driver.log_capture import output_to
from qhn.sweeps.driver.neighbours import Place, clear_leftovers, placed
from qhn.sweeps.driver.run import RunOptions, run_sweep
from qhn.sweeps.planning.machine import Machine, size_text, this_machine
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.planning.preflight import preflight
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import new_log
from qhn.sweeps.tracking import TrackingLocation, tracking_location

_KEPT_TO_THE_END: list[QhnError] = []


@dataclass(frozen=True)
class Request:
    """What a person asked for.

    Attributes:
        content: of the sweep file.
        source: what messages call the file.
        store: where trials live.
        tracking_uri: the option, if it was given.
        summary: the file for the run's account, if one is wanted.
        cpus: trials at once, if that was given.
        retry_failed: whether trials that failed before are tried again.
        started: ``time.monotonic()`` at the command's start.
    """

    content: bytes
    source: str
    store: Store
    tracking_uri: str | None
    summary: Path | None
    cpus: int | None
    retry_failed: bool
    started: float


def execute(request: Request) -> None:
    """Run the sweep of a file, print what happened, and exit with the code that says it."""
    # All that can be wrong with the file is said by this process, before there is another one.
    plan = make_plan(parse_spec(request.content, request.source))
    machine = this_machine()
    plan = replace(plan, trials=preflight(plan.trials, machine, request.content, request.source))
    location = tracking_location(request.store, request.tracking_uri)
    summary = None if request.summary is None else SummaryFile(request.summary)
    if summary is not None:
        summary.check()
    if request.store.uri.startswith("memory:"):
        raise StoreError(
            f"a sweep's store must be one that several processes can reach, but got "
            f"{request.store.uri!r}; name a folder with --store"
        )
    with suppress(OSError, QhnError):  # to tidy up after others is no condition
        clear_leftovers()
    log = new_log(request.store, plan.name)
    resume = _how_to_resume(plan.name, request.store, request.tracking_uri)

    def hint() -> str:
        return f"{resume} The log is {escape(str(log))}."

    def work() -> int:
        return _exit_code(lambda: _run(request, plan, machine, location, summary, log, resume))

    if code := supervised(work, hint):
        raise typer.Exit(code)


def _exit_code(work: Callable[[], None]) -> int:
    """What work comes to, said as `qhn.cli.main` says it: it runs in a process of its own."""
    try:
        work()
    except typer.Exit as end:
        return int(end.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        raise  # the supervisor's matter
    except QhnError as error:
        # Its traceback holds what Ray had built when it failed to start. Taking that down waits
        # for threads that may never have begun, and this process is about to end anyway.
        _KEPT_TO_THE_END.append(error)
        return print_error(error)
    except Exception:  # noqa: BLE001 - a mistake of ours: the traceback is what helps
        traceback.print_exc()
        return 1
    return 0


def _run(
    request: Request,
    plan: Plan,
    machine: Machine,
    location: TrackingLocation,
    summary: SummaryFile | None,
    log: Path,
    resume: str,
) -> None:
    console = Console(soft_wrap=True, highlight=False)
    store = request.store
    # From here on, since what is printed next is what people take for the start.
    with (
        clean_stops(),
        store.sweep(plan.name).lock,
        placed(plan.name, available_cpus(), request.cpus) as place,
    ):
        try:
            if summary is not None:
                summary.clear()
            slots = _print_head(console, request, plan, machine, location, log, place)
            text = request.content.decode("utf-8-sig")
            with output_to(log) as terminal:
                screen = Console(file=terminal, highlight=False)

                def watch(board: Board) -> AbstractContextManager[object]:
                    return live_view(board, screen)

                options = RunOptions(
                    slots,
                    machine,
                    request.retry_failed,
                    request.started,
                    held_back,
                    place.ray_folder,
                )
                outcome = run_sweep(plan, text, store, location, watch, options)
        except KeyboardInterrupt:
            console.print(f"[yellow]Interrupted.[/] {resume}")
            raise typer.Exit(INTERRUPTED) from None
    if summary is not None:
        summary.write(outcome.summary.to_json() + "\n")
    print_report(console, outcome, store, location)
    if outcome.summary.interrupted:
        console.print(f"[yellow]Interrupted.[/] {resume}")
        raise typer.Exit(INTERRUPTED)
    if outcome.summary.remaining:
        console.print(f"[yellow]{outcome.summary.remaining} left over.[/] {resume}")
    if outcome.summary.failed or outcome.summary.untracked or outcome.summary.remaining:
        raise typer.Exit(1)


def _print_head(
    console: Console,
    request: Request,
    plan: Plan,
    machine: Machine,
    location: TrackingLocation,
    log: Path,
    place: Place,
) -> int:
    """Say what begins, where it goes, and what may surprise; the number of slots."""
    store = request.store
    console.print(f"[bold]{escape(plan.name)}[/]: {counted(len(plan.trials), 'trial')}")
    console.print(f"store     {escape(store.shown)}")
    console.print(f"tracking  {escape(location.shown)}")
    console.print(f"log       {escape(str(log))}")
    if left_out := _left_out(plan, store):
        console.print(
            f"[yellow]note[/]      {counted(left_out, 'finished trial')} of this sweep's "
            "earlier file are not in this one; MLflow still shows them (a new name would keep "
            "the two apart)"
        )
    if place.others and request.cpus is None:
        names = ", ".join(f"{escape(other.sweep)} ({other.cores})" for other in place.others)
        console.print(
            f"[yellow]cores[/]     other sweeps run on this machine: {names}; this one takes "
            f"{counted(place.cores, 'core')} of {available_cpus()} (--cpus N takes N all the same)"
        )
    memory = memory_of(trial.config for trial in plan.trials)
    slots = min(place.cores, memory.trials_at_once(machine.memory_bytes))
    if slots < place.cores:
        console.print(
            f"[yellow]memory[/]    {size_text(memory.trial)} for each trial: {slots} at once"
        )
    return slots


def _left_out(plan: Plan, store: Store) -> int:
    """How many trials that are over the file asked for when it was last run, and now does not."""
    try:
        before = make_plan(parse_spec(store.sweep(plan.name).read_file()))
    except QhnError:  # never run, or by another version
        return 0
    now = {trial.trial_id for trial in plan.trials}
    return len(store.finished({trial.trial_id for trial in before.trials} - now))


def _how_to_resume(name: str, store: Store, tracking_uri: str | None) -> str:
    options = store_option(store)
    if tracking_uri is not None:
        options += f" --tracking-uri {shlex.quote(tracking_uri)}"
    command = f"qhn sweep resume {name}{options}"
    return f"Run the same command again to go on, or: {escape(command)}"
