"""``qhn doctor``: looks at machines, store, tracking and devices before a sweep needs them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from qhn.cli.elsewhere import Elsewhere, cluster, connect
from qhn.cli.messages import MENDABLE
from qhn.cli.options import DEFAULT_STORE, StoreOption, TrackingOption
from qhn.core.errors import RayError, SpecError, TrackingError
from qhn.sweeps.jobs.commands import check_travels
from qhn.sweeps.spec import parse_spec, read_spec
from qhn.sweeps.store import Store, open_store

if TYPE_CHECKING:
    from qhn.sweeps.planning.plan import Plan
    from qhn.sweeps.trial.findings import Finding

_MARKS = {"fine": ("ok", "green"), "warning": ("note", "yellow"), "wrong": ("wrong", "bold red")}

# What must be right on a machine before it can be asked for more.
_MUST_HOLD = ("answer", "versions")


def doctor(
    context: typer.Context,
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
    tracking_uri: TrackingOption = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            envvar="QHN_ADDRESS",
            metavar="auto|HOST:PORT|http://HOST:PORT",
            help="Look at all machines of this Ray, of which this machine is a part, or to whose "
            "job server (http://HOST:8265) it hands the work.",
            show_default="this machine alone",
        ),
    ] = None,
    run_job: Annotated[
        bool,
        typer.Option(
            "--run-job",
            help="Also run one tiny job on each device. It is paid for, and counts in no budget.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for use by programs.")
    ] = False,
) -> None:
    """Check what a sweep needs: machines, store, tracking server, and the devices of a sweep file.

    Nothing is trained. The exit code is 2 if something is wrong.
    """
    if file is not None and device is not None:
        raise SpecError("what to check must be a sweep file or a device, but got both")
    plan = _plan(file, device)
    if address is not None and address.startswith(("http://", "https://")):
        there = cluster(context, address, store)
        found = _there(there, file, device, tracking_uri, run_job=run_job)
    else:
        opened = open_store(store)
        found = _machines(address, opened, plan, run_job=run_job)
        name = None if file is None or plan is None else plan.name
        found += _tracking(opened, tracking_uri, name)
    _print(found, as_json=as_json)
    if any(finding.verdict == "wrong" for finding in found):
        raise typer.Exit(MENDABLE)


def _plan(file: Path | None, device: str | None) -> Plan | None:
    from qhn.sweeps.planning.plan import make_plan

    if file is not None:
        return make_plan(parse_spec(read_spec(file), str(file)))
    if device is not None:
        return make_plan(parse_spec(_file_with(device), f"--device {device}"))
    return None


def _there(
    there: Elsewhere,
    file: Path | None,
    device: str | None,
    tracking_uri: str | None,
    *,
    run_job: bool,
) -> list[Finding]:
    """Let the head of a Ray look at its cluster. What is not named here is named by the head."""
    from qhn.sweeps.jobs.checkup import check_through_jobs

    check_travels("--tracking-uri", tracking_uri)
    options = [] if device is None else ["--device", device]
    options += [] if tracking_uri is None else ["--tracking-uri", tracking_uri]
    options += ["--run-job"] if run_job else []
    content = None if file is None else read_spec(file)
    return check_through_jobs(connect(there.address), content, options, there.store)


def _machines(
    address: str | None, store: Store, plan: Plan | None, *, run_job: bool
) -> list[Finding]:
    """Look at machines, and at the devices of a plan."""
    # These import what runs in trials, and the libraries of devices.
    from qhn.sweeps.driver.checkup import look_at_devices
    from qhn.sweeps.driver.cluster_checkup import check_cluster, check_here, machines_there

    trials = () if plan is None else plan.trials
    if address is None:
        found = check_here(store, plan)
        devices = [] if plan is None else look_at_devices(plan, store, trials, run_job=run_job)
        return found + devices
    with _attached(address) as found_at:
        nodes = machines_there()
        found = check_cluster(nodes, found_at, store, plan)
        # A machine without this qhn could not even be asked for a device.
        strange = {f.where for f in found if f.what in _MUST_HOLD and f.verdict == "wrong"}
        nodes = [node for node in nodes if node.name not in strange]
        if plan is not None:
            found += look_at_devices(plan, store, trials, nodes, run_job=run_job)
        return found


@contextmanager
def _attached(address: str) -> Iterator[str]:
    """Connect to a Ray; the address of its head."""
    from qhn.sweeps.driver.attached_ray import attached_ray
    from qhn.sweeps.driver.handlers import handlers_kept
    from qhn.sweeps.driver.log_capture import output_to
    from qhn.sweeps.driver.neighbours import private_folder

    log = private_folder() / "doctor.log"
    with suppress(OSError):
        log.unlink()
    try:
        with output_to(log), attached_ray(address, handlers_kept) as cluster:
            yield cluster.address
    except RayError as error:
        if "the log" not in str(error):
            raise
        raise RayError(f"{error}: {log}") from error


def _tracking(store: Store, uri: str | None, name: str | None) -> list[Finding]:
    from qhn.sweeps.tracking import tracking_location
    from qhn.sweeps.tracking.reaching import reach
    from qhn.sweeps.trial.findings import Finding

    try:
        location = tracking_location(store, uri)
        return [Finding("tracking", location.shown, "fine", reach(location, name))]
    except TrackingError as error:
        return [Finding("tracking", "MLflow", "wrong", str(error))]


def _print(found: Iterable[Finding], *, as_json: bool) -> None:
    """Print findings, those of one place together."""
    places: dict[str, list[Finding]] = {}
    for finding in found:
        places.setdefault(finding.where, []).append(finding)
    ordered = [finding for there in places.values() for finding in there]
    if as_json:
        print(json.dumps({"findings": [asdict(finding) for finding in ordered]}, indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    for finding in ordered:
        word, style = _MARKS[finding.verdict]
        console.print(
            Text.assemble((f"{word:<6}", style), f"{finding.where}: {finding.what}: "),
            Text(finding.text),
            sep="",
        )


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
