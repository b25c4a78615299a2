"""What `qhn sweep run` and `resume` share: run, watch, and say how it ended."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.live import live_view
from qhn.cli.report import print_report
from qhn.core.errors import StoreError
from qhn.sweeps.plan import make_plan
from qhn.sweeps.running.board import Board
from qhn.sweeps.running.quiet import output_to
from qhn.sweeps.running.run import RunOptions, RunOutcome, log_file, run_sweep
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store
from qhn.sweeps.tracking import tracking_location

INTERRUPTED = 130


def execute(
    text: str,
    source: str,
    store: Store,
    tracking_uri: str | None,
    summary_file: Path | None,
    cpus: int | None,
    retry_failed: bool,
    started: float,
) -> None:
    """Run a sweep from its text, print what happened, and exit with the code that says it."""
    console = Console(soft_wrap=True, highlight=False)
    plan = make_plan(parse_spec(text, source))
    location = tracking_location(store, tracking_uri)
    folder = store.sweep(plan.name)
    with folder.lock:
        log = log_file(folder)
        console.print(f"[bold]{escape(plan.name)}[/]: {len(plan.trials)} trials")
        console.print(f"store     {store.root}")
        console.print(f"tracking  {escape(location.shown)}")
        console.print(f"log       {log}")
        try:
            with output_to(log) as terminal:
                screen = Console(file=terminal, highlight=False)

                def watch(board: Board) -> AbstractContextManager[object]:
                    return live_view(board, screen)

                options = RunOptions(cpus, retry_failed, started)
                outcome = run_sweep(plan, text, store, location, watch, options)
        except KeyboardInterrupt:
            console.print(f"[yellow]Interrupted.[/] {_how_to_resume(plan.name)}")
            raise typer.Exit(INTERRUPTED) from None
    if summary_file is not None:
        _write_summary(summary_file, outcome)
    print_report(console, outcome, store, location)
    if outcome.summary.interrupted:
        console.print(f"[yellow]Interrupted.[/] {_how_to_resume(plan.name)}")
        raise typer.Exit(INTERRUPTED)
    if outcome.summary.failed:
        raise typer.Exit(1)


def _how_to_resume(name: str) -> str:
    return f"Run the same command again to go on, or: qhn sweep resume {escape(name)}"


def _write_summary(path: Path, outcome: RunOutcome) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(outcome.summary.to_json() + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the summary file must be writable, but {path} is not: {error.strerror}; "
            "the sweep itself is safe in the store"
        ) from None
