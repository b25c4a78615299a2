"""The jobs that are handed over: their ids, their commands, and what is written about them.

Ray shows all of it in its dashboard and writes it to its logs, so no secret may be in it.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from qhn.core.errors import InvalidValueError
from qhn.sweeps.jobs.server import Job, JobState
from qhn.sweeps.store.opening import without_password
from qhn.version import VERSION

#: The names under which a job says which command of qhn it is, of which sweep, and in which store.
COMMAND, SWEEP, STORE = "qhn", "qhn_sweep", "qhn_store"
#: The variable in which a job finds the version of the qhn that has submitted it.
VERSION_VARIABLE = "QHN_SUBMITTED_BY"

#: How long a sweep may take to end in order after a stop by Ray's own means, which reaches its
#: driver as Ctrl-C does. After that Ray kills it.
PATIENCE_S = 60


@dataclass(frozen=True)
class Options:
    """The options of a submitted sweep, which mean the same as those of ``qhn sweep run``.

    Attributes:
        store: the store as the cluster knows it; None for the one of its own environment.
        tracking_uri: the same for the tracking server.
        cpus: how many simulated trials run at once; None for all CPUs of the cluster.
        retry_failed: whether trials that failed before are tried again.
        over_budget: whether the sweep may be expected to take more than its budgets.
    """

    store: str | None = None
    tracking_uri: str | None = None
    cpus: int | None = None
    retry_failed: bool = False
    over_budget: bool = False


def run_job(name: str, file: Path, options: Options) -> Job:
    """The job that runs a sweep.

    Args:
        name: the name of the sweep.
        file: a copy of its file, alone in a folder that travels with the job.
        options: how to run it.

    Raises:
        InvalidValueError: if an address has a password in it, or is a path that has no meaning on
            another machine.
    """
    check_travels("--store", options.store)
    check_travels("--tracking-uri", options.tracking_uri)
    words = ["sweep", "run", file.name, "--address", "auto"]
    if options.store is not None:
        words += ["--store", options.store]
    if options.tracking_uri is not None:
        words += ["--tracking-uri", options.tracking_uri]
    if options.cpus is not None:
        words += ["--cpus", str(options.cpus)]
    words += ["--retry-failed"] * options.retry_failed + ["--over-budget"] * options.over_budget
    job = _job("run", name, options.store, words, {})
    return replace(job, folder=file.parent, patience_s=PATIENCE_S)


def small_job(
    command: str,
    name: str,
    more: Sequence[str],
    store: str | None,
    environment: Mapping[str, str] | None = None,
) -> Job:
    """The job that runs another command of ``qhn sweep`` beside the store.

    Args:
        command: the command, such as ``status``.
        name: the name of the sweep.
        more: its further options.
        store: the store as the cluster knows it; None for the one of its own environment.
        environment: variables for the command.

    Raises:
        InvalidValueError: as `run_job`.
    """
    check_travels("--store", store)
    words = ["sweep", command, *more]
    if store is not None:
        words += ["--store", store]
    # A name that begins with a dash is no option.
    return _job(command, name, store, [*words, "--", name], environment or {})


def doctor_job(file: Path | None, options: Sequence[str], store: str | None) -> Job:
    """The job that looks at all machines of the cluster.

    Args:
        file: a copy of the sweep file, alone in a folder that travels with the job, or None.
        options: further options of ``qhn doctor``.
        store: the store as the cluster knows it; None for the one of its own environment.

    Raises:
        InvalidValueError: as `run_job`.
    """
    check_travels("--store", store)
    words = ["doctor", *([] if file is None else [file.name]), *options, "--json"]
    words += ["--address", "auto", *([] if store is None else ["--store", store])]
    job = _job("doctor", "cluster", store, words, {})
    return job if file is None else replace(job, folder=file.parent)


def is_run_of(state: JobState, name: str, store: str | None) -> bool:
    """Whether a job runs a sweep, in a store if one is named."""
    about = state.about
    if about.get(COMMAND) != "run" or about.get(SWEEP) != name:
        return False
    return store is None or about.get(STORE, "") in ("", store)


def is_small(state: JobState) -> bool:
    """Whether a job is one of qhn's, and none that runs a sweep."""
    return state.about.get(COMMAND, "run") != "run"


def submitted_by() -> str | None:
    """The version of the qhn that has submitted the job in which this process runs, or None."""
    return os.environ.get(VERSION_VARIABLE) or None


def check_travels(option: str, address: str | None) -> None:
    """Refuse an address of a store or a server that must not, or cannot, travel with a job.

    Raises:
        InvalidValueError: if it has a password in it, or if it is a path that begins nowhere.
    """
    if address is None:
        return
    if (shown := without_password(address)) != address:
        raise InvalidValueError(
            f"what travels with a job is shown in Ray's dashboard, so {option} must have no user "
            f"and password in it, but that of {shown!r} has; set them in the environment of the "
            "cluster"
        )
    if not _is_uri(address) and not address.startswith(("/", "~")):
        raise InvalidValueError(
            f"{option} names a place on the cluster, so it must be an address such as s3://… or "
            f"an absolute path there, but got {address!r}"
        )


def is_same_everywhere(store: str) -> bool:
    """Whether the address of a store means the same on every machine; a folder's does not."""
    return _is_uri(store) and urlsplit(store).scheme not in ("file", "memory")


def _is_uri(address: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", address) is not None


def _job(
    command: str,
    name: str,
    store: str | None,
    words: Sequence[str],
    environment: Mapping[str, str],
) -> Job:
    when, chance = time.strftime("%Y%m%d-%H%M%S"), secrets.token_hex(2)
    job_id = f"qhn-{command}-{_word(name)}-{when}-{chance}"
    # Where the head was started with an address, the command would ask the cluster again.
    variables = {VERSION_VARIABLE: VERSION, "QHN_ADDRESS": "", **environment}
    line = shlex.join(["env", *(f"{k}={v}" for k, v in variables.items()), "qhn", *words])
    about = {COMMAND: command, SWEEP: name, STORE: store or ""}
    return Job(job_id, line, about)


def _word(name: str) -> str:
    """A name of which every character may be a part of an address."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100]
