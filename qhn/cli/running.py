"""What `qhn sweep run` and `resume` share: run, watch, and say how it ended."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.live import live_view
from qhn.cli.options import store_option
from qhn.cli.report import print_report
from qhn.cli.signals import clean_stops
from qhn.cli.summary_file import SummaryFile
from qhn.cli.words import counted
from qhn.core.errors import QhnError
from qhn.sweeps.driver.local_ray import available_cpus, trials_at_once
from qhn.sweeps.driver.log_capture import output_to
from qhn.sweeps.driver.progress import Board
from qhn.sweeps.driver.run import RunOptions, run_sweep
from qhn.sweeps.planning.machine import size_text, this_machine
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.planning.preflight import preflight
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import new_log
from qhn.sweeps.tracking import TrackingLocation, tracking_location

INTERRUPTED = 130


def execute(
    content: bytes,
    source: str,
    store: Store,
    tracking_uri: str | None,
    summary_file: Path | None,
    cpus: int | None,
    retry_failed: bool,
    started: float,
) -> None:
    """Run the sweep of a file, print what happened, and exit with the code that says it."""
    console = Console(soft_wrap=True, highlight=False)
    plan = make_plan(parse_spec(content, source))
    plan = replace(plan, trials=preflight(plan.trials, this_machine(), content, source))
    text = content.decode("utf-8-sig")
    location = tracking_location(store, tracking_uri)
    folder = store.sweep(plan.name)
    hint = _how_to_resume(plan.name, store, tracking_uri)
    summary = None if summary_file is None else SummaryFile(summary_file)
    if summary is not None:
        summary.check()
    # From here on, since what is printed next is what people take for the start.
    with clean_stops(), folder.lock:
        try:
            if summary is not None:
                summary.clear()
            log = new_log(store, plan.name)
            slots = _print_head(console, plan, store, location, log, cpus)
            with output_to(log) as terminal:
                screen = Console(file=terminal, highlight=False)

                def watch(board: Board) -> AbstractContextManager[object]:
                    return live_view(board, screen)

                options = RunOptions(slots, retry_failed, started)
                outcome = run_sweep(plan, text, store, location, watch, options)
        except KeyboardInterrupt:
            console.print(f"[yellow]Interrupted.[/] {hint}")
            raise typer.Exit(INTERRUPTED) from None
    if summary is not None:
        summary.write(outcome.summary.to_json() + "\n")
    print_report(console, outcome, store, location)
    if outcome.summary.interrupted:
        console.print(f"[yellow]Interrupted.[/] {hint}")
        raise typer.Exit(INTERRUPTED)
    if outcome.summary.failed or outcome.summary.untracked:
        raise typer.Exit(1)


def _print_head(
    console: Console,
    plan: Plan,
    store: Store,
    location: TrackingLocation,
    log: Path,
    cpus: int | None,
) -> int:
    """Say what begins, where it goes, and what may surprise; the number of slots."""
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
    wanted = cpus or available_cpus()
    memory = memory_of(trial.config for trial in plan.trials)
    slots = trials_at_once(memory, wanted)
    if slots < wanted:
        console.print(
            f"[yellow]memory[/]    {size_text(memory.trial)} for each trial: {slots} at once"
        )
    return slots


def _left_out(plan: Plan, store: Store) -> int:
    """How many trials that are over the file asked for when it was last run, and now does not."""
    try:
        before = parse_spec(store.sweep(plan.name).read_file())
    except QhnError:  # never run, or by another version
        return 0
    now = {trial.trial_id for trial in plan.trials}
    return len(store.finished({trial.trial_id for trial in make_plan(before).trials} - now))


def _how_to_resume(name: str, store: Store, tracking_uri: str | None) -> str:
    options = store_option(store)
    if tracking_uri is not None:
        options += f" --tracking-uri {shlex.quote(tracking_uri)}"
    command = f"qhn sweep resume {name}{options}"
    return f"Run the same command again to go on, or: {escape(command)}"
