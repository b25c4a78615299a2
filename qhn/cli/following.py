"""``qhn sweep logs`` and ``stop`` for sweeps that run on a cluster."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.elsewhere import Elsewhere, asked, connect, say
from qhn.cli.messages import MENDABLE
from qhn.cli.submit import followed
from qhn.sweeps.jobs.asking import ask
from qhn.sweeps.jobs.commands import small_job
from qhn.sweeps.jobs.following import follow, own_output
from qhn.sweeps.jobs.server import JobServer
from qhn.sweeps.jobs.submitting import end_runs, runs_of


def print_log_there(there: Elsewhere, name: str, follows: bool, lines: int | None) -> None:
    """Print what the job of a sweep has printed: its progress and its end.

    If no job of the server has run the sweep, the log that its driver keeps on the head is printed.

    Args:
        there: the cluster.
        name: the name of the sweep.
        follows: whether to wait for new lines until the job is over.
        lines: how many of the last lines to print at first; None for all.

    Raises:
        RayError: if the cluster cannot be asked.
        typer.Exit: after a Ctrl-C, or if the sweep has no log.
    """
    server = connect(there.address)
    runs = runs_of(server, name, there.store)
    # A run is meant rather than a later job that was refused, perhaps because of that run.
    began = [state for state in runs if state.exit_code != MENDABLE]
    run = next(iter([*began, *runs]), None)
    if run is None:
        _driver_log(there, server, name, follows, lines)
    elif follows:
        _follow(there, server, run.job_id, name, lines)
    else:
        typer.echo(last_lines(own_output(server.output(run.job_id)), lines), nl=False)


def stop_there(there: Elsewhere, name: str, timeout_s: float, now: bool) -> bool:
    """Stop a sweep on a cluster, and wait until it has ended.

    Ray's own stop would kill the sweep after some seconds. So a job on the head sends the signal,
    where the driver runs. Jobs that have no driver yet are ended by Ray.

    Args:
        there: the cluster.
        name: the name of the sweep.
        timeout_s: how many seconds to wait.
        now: whether to kill the sweep in place of letting it end in order.

    Returns:
        Whether the sweep is not running any more.

    Raises:
        RayError: if the cluster cannot be asked.
        typer.Exit: if it has no such sweep.
    """
    server = connect(there.address)
    options = ["--timeout", str(timeout_s), *(["--now"] if now else [])]
    text, code = asked(there, server, "stop", name, *options)
    if code not in (0, MENDABLE):
        typer.echo(text, nl=False)
        return False
    ended = end_runs(server, name, there.store)
    if code and ended:
        # The store does not know the sweep yet, but its job was about to begin.
        typer.echo(f"Stopped {', '.join(ended)}, which had not begun to train.")
    else:
        say(there, name, text, code)
    return True


def last_lines(text: str, lines: int | None) -> str:
    """The last lines of a text; None for all of it."""
    if lines is None:
        return text
    found = text.splitlines(keepends=True)
    return "".join(found[len(found) - lines :]) if lines < len(found) else text


def _driver_log(
    there: Elsewhere, server: JobServer, name: str, follows: bool, lines: int | None
) -> None:
    options = [] if lines is None else ["--lines", str(lines)]
    options += ["--follow"] if follows else []
    job = small_job("logs", name, options, there.store)
    with followed(there, name):
        code = ask(server, job, lambda text: typer.echo(text, nl=False))
    say(there, name, "", code)


def _follow(there: Elsewhere, server: JobServer, job_id: str, name: str, lines: int | None) -> None:
    first = True

    def write(text: str) -> None:
        nonlocal first
        typer.echo(last_lines(text, lines) if first else text, nl=False)
        first = False

    with followed(there, name):
        follow(server, job_id, write)
    # This line goes to standard error, because the log may be piped into another program.
    Console(stderr=True, highlight=False).print(f"{escape(name)} is not running any more.")
