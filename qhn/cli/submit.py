"""``qhn sweep submit``: hands a sweep over to the job server of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.elsewhere import Elsewhere, connect
from qhn.cli.messages import print_error
from qhn.cli.supervisor import DRIVER_LOST, INTERRUPTED
from qhn.cli.words import counted
from qhn.core.errors import InvalidValueError, RayError
from qhn.sweeps.driver.data_files import keep_points
from qhn.sweeps.jobs.commands import Options, is_same_everywhere
from qhn.sweeps.jobs.following import exit_code, follow
from qhn.sweeps.jobs.server import JobServer, JobState
from qhn.sweeps.jobs.submitting import submit, wait_for_start
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store


def submit_sweep(
    content: bytes, source: str, there: Elsewhere, options: Options, *, wait: bool
) -> None:
    """Check a sweep, hand it over, and follow it until it has begun, or to its end.

    Args:
        content: the content of the sweep file.
        source: the name of the file in messages.
        there: the cluster.
        options: how the sweep is run there.
        wait: whether to follow it to its end.

    Raises:
        SpecError: if the file has mistakes.
        InvalidValueError: if an option cannot travel with the sweep.
        RayError: if the cluster cannot be asked, or runs this sweep already.
        typer.Exit: if the sweep has ended with another exit code than 0.
    """
    plan = make_plan(parse_spec(content, source))
    if any(trial.config.dataset.digest is not None for trial in plan.trials):
        # The file itself stays here, so that its points must be where the cluster finds them.
        if there.store is None or not is_same_everywhere(there.store):
            raise InvalidValueError(
                "a sweep with data files must be submitted with a store that this machine and the "
                f"cluster reach at the same address, but got {there.store or 'none'}; name it with "
                "--store s3://BUCKET/PREFIX"
            )
        keep_points(plan, open_store(there.store))
    server = connect(there.address)
    job_id = submit(server, plan.name, content, options)
    console = Console(soft_wrap=True, highlight=False)
    trials = counted(len(plan.trials), "trial")
    console.print(f"[bold]{escape(plan.name)}[/]: {trials}, handed over as {escape(job_id)}")
    with followed(there, plan.name):
        if wait:
            end_as(*_to_the_end(server, job_id))
            return
        state, printed = wait_for_start(server, job_id)
    if state.is_over:
        code = exit_code(state)
        typer.echo(printed, nl=False, err=code != 0)
        end_as(state, bool(printed))
        return
    for what, command in (
        ("follow", there.command("logs", plan.name, "--follow")),
        ("stop", there.command("stop", plan.name)),
        ("show", there.command("show", plan.name)),
    ):
        console.print(f"{what:<9} {escape(command)}")


@contextmanager
def followed(there: Elsewhere, name: str) -> Iterator[None]:
    """Say after a Ctrl-C that the sweep goes on, and how to go on with it.

    Raises:
        typer.Exit: after a Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"{escape(name)} goes on. Follow it again with: "
            f"{escape(there.command('logs', name, '--follow'))}\n"
            f"Stop it with: {escape(there.command('stop', name))}"
        )
        raise typer.Exit(INTERRUPTED) from None


def end_as(state: JobState, began: bool) -> None:
    """End as a job has ended.

    Raises:
        RayError: if the job could not begin.
        typer.Exit: if it has ended with another exit code than 0.
    """
    try:
        code = exit_code(state)
    except RayError as error:
        if not began:
            raise
        print_error(error)
        raise typer.Exit(DRIVER_LOST) from None
    if code:
        raise typer.Exit(code)


def _to_the_end(server: JobServer, job_id: str) -> tuple[JobState, bool]:
    """Print what a job prints until it is over; its state, and whether it has printed anything."""
    printed = False

    def write(text: str) -> None:
        nonlocal printed
        printed = True
        typer.echo(text, nl=False)

    try:
        return follow(server, job_id, write), printed
    except RayError as error:
        # The sweep may go on, or its Ray may have stopped: nobody knows from here.
        print_error(error)
        raise typer.Exit(DRIVER_LOST) from None
