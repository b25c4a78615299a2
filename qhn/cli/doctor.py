"""``qhn doctor``: looks at devices before money is spent on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from qhn.cli.messages import MENDABLE
from qhn.cli.options import DEFAULT_STORE, StoreOption
from qhn.core.errors import SpecError
from qhn.sweeps.spec import parse_spec, read_spec
from qhn.sweeps.store import open_store

_MARKS = {"fine": ("ok", "green"), "warning": ("note", "yellow"), "wrong": ("wrong", "bold red")}


def doctor(
    file: Annotated[
        Path | None, typer.Argument(help="The sweep file (YAML).", show_default=False)
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="SPEC",
            help="A device in place of a file, as in qhn train --device: kind or kind:option.",
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    run_job: Annotated[
        bool,
        typer.Option(
            "--run-job",
            help="Also run one tiny job on each device. It is paid for, and counts in no budget.",
        ),
    ] = False,
) -> None:
    """Check the devices of a sweep: libraries, credentials, backend and queue.

    Nothing is trained. The exit code is 2 if a device cannot be used.
    """
    # Looking at devices imports their libraries, and what runs in trials.
    from qhn.sweeps.driver.checkup import check_device, representatives
    from qhn.sweeps.driver.tickets import Tickets
    from qhn.sweeps.planning.plan import make_plan

    if (file is None) == (device is None):
        raise SpecError(
            "what to check must be a sweep file, or a device with --device, but got "
            f"{'neither' if file is None else 'both'}"
        )
    if file is not None:
        content, source = read_spec(file), str(file)
    else:
        content, source = _file_with(str(device)), f"--device {device}"
    plan = make_plan(parse_spec(content, source))
    opened = open_store(store)
    tickets = Tickets(plan, opened)
    console = Console(highlight=False, soft_wrap=True)
    wrong = False
    for trial in representatives(plan, plan.trials):
        for finding in check_device(trial, tickets.of(trial), run_job=run_job):
            word, style = _MARKS[finding.verdict]
            console.print(
                Text.assemble((f"{word:<6}", style), f"{finding.device}: {finding.what}: "),
                Text(finding.text),
                sep="",
            )
            wrong = wrong or finding.verdict == "wrong"
    if wrong:
        raise typer.Exit(MENDABLE)


def _file_with(device: str) -> bytes:
    """A sweep file with a single trial on a device: the smallest network on the easiest data."""
    content = {
        "name": "doctor",
        "datasets": ["moons"],
        "networks": [{"kind": "logistic"}],
        "objectives": ["mle"],
        "devices": [device],
        "seeds": 1,
        "training": {"steps": 1},
    }
    return json.dumps(content, indent=1).encode()
