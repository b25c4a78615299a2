"""Lets the head of a Ray look at its cluster, for who only reaches its job server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from qhn.sweeps.jobs.asking import ask
from qhn.sweeps.jobs.commands import doctor_job
from qhn.sweeps.jobs.server import JobServer
from qhn.sweeps.trial.findings import Finding


def check_through_jobs(
    server: JobServer, content: bytes | None, options: Sequence[str], store: str | None
) -> list[Finding]:
    """Run ``qhn doctor`` as a job on the head of a Ray.

    Args:
        server: its job server.
        content: the content of the sweep file; None without one.
        options: further options of the doctor there.
        store: the store as the cluster knows it; None for the one of its own environment.

    Returns:
        What was found out about the job server, and then what the doctor has found there.

    Raises:
        InvalidValueError: if the address of the store must not travel with a job.
        RayError: if the job server cannot be asked.
    """
    printed: list[str] = []
    with TemporaryDirectory(prefix="qhn-doctor-") as folder:
        file = None
        if content is not None:
            file = Path(folder) / "sweep.yaml"
            file.write_bytes(content)
        ask(server, doctor_job(file, options, store), printed.append)
    text = f"it accepts this user, takes jobs, and is Ray {version('ray')}"
    fine = Finding(server.address, "answer", "fine", text)
    return [fine, *_findings(server.address, "".join(printed))]


def _findings(address: str, printed: str) -> list[Finding]:
    """The findings that a doctor has printed as JSON, perhaps after warnings of libraries."""
    _, begin, rest = printed.partition('{\n "findings"')
    try:
        content, _ = json.JSONDecoder().raw_decode(begin + rest)
        return [Finding(**finding) for finding in content["findings"]]
    except ValueError:
        said = [line for line in printed.splitlines() if line.strip()]
        why = said[-1].strip() if said else "it has printed nothing"
        return [Finding(address, "doctor", "wrong", f"a doctor must run there, but: {why}")]
