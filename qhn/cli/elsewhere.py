"""Decides whether a command reads a store here or asks the cluster, and asks it.

The rule, which the help texts repeat: with an address the cluster is asked, unless a store is named
that means the same here and there, can be read from here, and has the sweep. A folder in QHN_STORE
is one of this machine, like the default store: a sweep that was tried out here under the same name
must not be taken for the one on the cluster.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import typer

from qhn.cli.messages import MENDABLE
from qhn.core.errors import QhnError
from qhn.sweeps.jobs.asking import ask
from qhn.sweeps.jobs.commands import is_same_everywhere, small_job
from qhn.sweeps.jobs.contact import check_server_address
from qhn.sweeps.jobs.server import JobServer
from qhn.sweeps.store import open_store
from qhn.sweeps.store.opening import default_store

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        envvar="QHN_ADDRESS",
        metavar="http://HOST:PORT",
        help="Ask the cluster with this job server. Only a store that --store names, or s3://… in "
        "QHN_STORE, is read from here, if it has the sweep. An empty address asks no cluster.",
        show_default="no cluster",
    ),
]


@dataclass(frozen=True)
class Elsewhere:
    """A cluster that is asked about a sweep.

    Attributes:
        address: the address of its job server.
        store: the store as the cluster knows it; None for the one of its own environment.
        from_environment: whether the address comes from QHN_ADDRESS, and need not be repeated.
    """

    address: str
    store: str | None
    from_environment: bool

    def command(self, command: str, name: str, *more: str) -> str:
        """A command of ``qhn sweep`` that asks this cluster, for people."""
        words = ["qhn", "sweep", command, name, *more]
        if not self.from_environment:
            words += ["--address", self.address]
        if self.store is not None:
            words += ["--store", self.store]
        return shlex.join(words)


def connect(address: str) -> JobServer:
    """Connect to a job server. The tests replace this by a stand-in.

    Raises:
        RayError: if there is none, or it does not let this user in.
    """
    from qhn.sweeps.jobs.ray_server import open_server

    return open_server(address)


def cluster(context: typer.Context, address: str, store: str) -> Elsewhere:
    """The cluster at an address, and the store that it is asked about.

    Only a store that means the same there is passed on: one that was given as an option, or an
    address such as s3://… in QHN_STORE. A folder in QHN_STORE is one of this machine.

    Raises:
        InvalidValueError: if the address cannot be that of a job server.
    """
    found = check_server_address(address)
    source = _source(context, "store")
    passed_on = source == "COMMANDLINE" or (source == "ENVIRONMENT" and is_same_everywhere(store))
    from_environment = _source(context, "address") == "ENVIRONMENT"
    return Elsewhere(found, store if passed_on else None, from_environment)


def elsewhere(
    context: typer.Context, name: str, store: str, address: str | None
) -> Elsewhere | None:
    """The cluster that has to be asked about a sweep, or None if the store here is read.

    Raises:
        InvalidValueError: if the address cannot be that of a job server.
    """
    if not address:
        return None
    there = cluster(context, address, store)
    return None if there.store is not None and _has_sweep(there.store, name) else there


def ask_and_print(there: Elsewhere, command: str, name: str, *more: str) -> None:
    """Run a command of ``qhn sweep`` on the cluster, and print what it prints.

    Raises:
        RayError: if the cluster cannot be asked.
        typer.Exit: with the exit code of the command, if it is not 0.
    """
    text, code = asked(there, connect(there.address), command, name, *more)
    say(there, name, text, code)


def asked(
    there: Elsewhere, server: JobServer, command: str, name: str, *more: str
) -> tuple[str, int]:
    """What a command of ``qhn sweep`` prints on the cluster, and its exit code.

    Raises:
        RayError: if the cluster cannot be asked.
    """
    printed: list[str] = []
    job = small_job(command, name, more, there.store, terminal())
    code = ask(server, job, printed.append)
    return "".join(printed), code


def say(there: Elsewhere, name: str, text: str, code: int) -> None:
    """Print the answer of a cluster, and end with its exit code unless that is 0."""
    typer.echo(text, nl=False, err=code != 0)
    here = default_store()
    if code == MENDABLE and there.from_environment and _has_sweep(here, name):
        typer.echo(
            f"The cluster at {there.address} was asked, because QHN_ADDRESS is set. A sweep of "
            f"this name is in the store of this machine: see it with --store {here}",
            err=True,
        )
    if code:
        raise typer.Exit(code)


def terminal() -> Mapping[str, str]:
    """What a command elsewhere must know of the terminal here, so that its tables fit."""
    if not sys.stdout.isatty():
        return {}
    width = shutil.get_terminal_size().columns
    return {"COLUMNS": str(width), "FORCE_COLOR": "1", "TERM": os.environ.get("TERM", "xterm")}


def _source(context: typer.Context, option: str) -> str:
    """Where the value of an option comes from: COMMANDLINE, ENVIRONMENT or DEFAULT."""
    source = context.get_parameter_source(option)
    return "DEFAULT" if source is None else source.name


def _has_sweep(store: str, name: str) -> bool:
    # What cannot be read from here is asked for there.
    with suppress(QhnError):
        return open_store(store).sweep(name).exists()
    return False
