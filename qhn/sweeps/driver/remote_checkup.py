"""Lets the head of a Ray look at its cluster, for who only reaches its job server."""

from __future__ import annotations

import json
import logging
import os
import shlex
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from qhn.core.errors import RayError
from qhn.sweeps.driver.attached_ray import has_token
from qhn.sweeps.driver.local_ray import set_environment
from qhn.sweeps.trial.findings import Finding

#: The file of a sweep in the folder of the job.
FILE = "sweep.yaml"
_SECONDS_TO_ANSWER = 10
_PATIENCE_S = 300.0
_LOOK_AFTER_S = 0.2
_PORT = 8265
_TALKATIVE = ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk")


def check_through_jobs(
    address: str, content: bytes | None, options: Sequence[str]
) -> list[Finding]:
    """Run ``qhn doctor`` as a job on the head of a Ray.

    Args:
        address: the address of the job server, such as ``http://HOST:8265``.
        content: the content of the sweep file; None without one.
        options: further options of the doctor there.

    Returns:
        What was found out about the job server, and then what the doctor has found there.

    Raises:
        RayError: if the job server does not answer, or refuses the token.
    """
    client = _client(address)
    # The client has asked for it, and has no public method that tells it.
    version = getattr(client, "_server_ray_version", "of an unknown version")
    found = [Finding(address, "answer", "fine", f"it accepts the token, and is Ray {version}")]
    with TemporaryDirectory() as folder:
        if content is not None:
            Path(folder, FILE).write_bytes(content)
        asked = [*([FILE] if content is not None else []), *options, "--json"]
        try:
            job = client.submit_job(
                # Ray sets its address for the processes of a job.
                entrypoint=f'python -m qhn.cli doctor {shlex.join(asked)} --address "$RAY_ADDRESS"',
                runtime_env={"working_dir": folder},
            )
        except Exception as error:
            raise RayError(
                f"the job server at {address} must take a job, but does not: {_words(error)}; look "
                "at the logs of the head's dashboard"
            ) from error
    return found + _findings(address, *_outcome(client, job))


def _client(address: str) -> Any:
    parts = urlsplit(address)
    try:
        port = parts.port or _PORT
        socket.create_connection((parts.hostname or "", port), _SECONDS_TO_ANSWER).close()
    except (OSError, ValueError) as error:
        raise RayError(
            f"a job server must answer at {address} within {_SECONDS_TO_ANSWER} s, but got: "
            f"{error}; it is a part of the head of a Ray with a dashboard, whose port is {_PORT} "
            "unless told otherwise"
        ) from None
    set_environment()
    if "RAY_AUTH_MODE" not in os.environ and has_token():
        os.environ["RAY_AUTH_MODE"] = "token"
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        client = JobSubmissionClient(address)
    except AuthenticationError as error:
        raise RayError(
            f"the job server at {address} must accept the token of this user, but refuses it or "
            "got none; copy the token of who has started that Ray to ~/.ray/auth_token, or name a "
            "file that has it in RAY_AUTH_TOKEN_PATH"
        ) from error
    except Exception as error:
        raise RayError(
            f"a job server of Ray must answer at {address}, but: {_words(error)}"
        ) from error
    # When they are imported, these set themselves to a level at which they tell of each upload.
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return client


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _outcome(client: Any, job: str) -> tuple[str, str]:
    """Wait for a job to end: its status, and what it printed."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (status := client.get_job_status(job)).is_terminal():
        if time.monotonic() > deadline:
            client.stop_job(job)
            return "unfinished", f"it has not ended within {_PATIENCE_S:.0f} s"
        time.sleep(_LOOK_AFTER_S)
    printed: str = client.get_job_logs(job)
    return str(status.value), printed


def _findings(address: str, status: str, printed: str) -> list[Finding]:
    """The findings that a doctor has printed as JSON, among lines of Ray."""
    _, begin, rest = printed.partition('{\n "findings"')
    try:
        content, _ = json.JSONDecoder().raw_decode(begin + rest)
        return [Finding(**finding) for finding in content["findings"]]
    except ValueError:
        said = [line for line in printed.splitlines() if line.strip()]
        why = said[-1].strip() if said else f"the job has {status.lower()}"
        return [Finding(address, "doctor", "wrong", f"a doctor must run there, but: {why}")]
