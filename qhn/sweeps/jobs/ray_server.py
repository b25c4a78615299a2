"""The job server of a Ray, through Ray's own client."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qhn.core.errors import NotFoundError, RayError
from qhn.sweeps.jobs.contact import Contact, contact
from qhn.sweeps.jobs.server import Job, JobState

# To connect, and between two pieces of an answer. Ray's client alone would wait for ever.
_WAITS_S = (10.0, 60.0)
_TALKATIVE = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
_ADDRESSES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")


class RayJobServer:
    """The job server of a Ray.

    Args:
        found: the server, which has answered (`qhn.sweeps.jobs.contact`).
    """

    def __init__(self, found: Contact) -> None:
        self._address = found.address
        self._client = _client(found)

    @property
    def address(self) -> str:
        """Its address, as ``http://HOST:PORT``."""
        return self._address

    def submit(self, job: Job) -> None:
        """Hand over a job, which begins soon."""
        # Ray's process that starts the command reads this, and waits so long after it has passed a
        # stop on. The command and what it starts inherit it.
        environment: dict[str, Any] = {"RAY_JOB_STOP_WAIT_TIME_S": str(job.patience_s)}
        surroundings: dict[str, Any] = {"env_vars": environment}
        if job.folder is not None:
            surroundings["working_dir"] = str(job.folder)
        with self._asked():
            self._client.submit_job(
                entrypoint=job.command,
                submission_id=job.job_id,
                metadata=dict(job.about),
                runtime_env=surroundings,
            )

    def state(self, job_id: str) -> JobState:
        """How a job stands."""
        with self._asked():
            return _state(self._client.get_job_info(job_id))

    def jobs(self) -> list[JobState]:
        """All jobs that were handed over and not forgotten."""
        with self._asked():
            found = self._client.list_jobs()
        # The others are drivers that nobody has submitted.
        return [_state(details) for details in found if details.type == "SUBMISSION"]

    def output(self, job_id: str) -> str:
        """All that a job has printed so far, after some lines of Ray's own."""
        with self._asked():
            return str(self._client.get_job_logs(job_id))

    def stop(self, job_id: str) -> None:
        """Ask a job to stop. Ray kills it when its `Job.patience_s` is over."""
        with self._asked():
            self._client.stop_job(job_id)

    def forget(self, job_id: str) -> None:
        """Take a job that is over from the list."""
        with self._asked():
            self._client.delete_job(job_id)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Say in one message what Ray's client has not managed to do."""
        import requests

        try:
            yield
        except (requests.RequestException, OSError) as error:
            text = str(error).partition("\n")[0] or type(error).__name__
            raise RayError(
                f"the job server at {self._address} must answer, but it does not any more ({text})"
            ) from error
        except RuntimeError as error:  # what Ray's client makes of an answer that is not "200 OK"
            text = str(error)
            if "status code 404" in text and "does not exist" in text:
                raise NotFoundError(
                    f"the job server at {self._address} has no such job; `ray job list` shows all"
                ) from error
            raise RayError(
                f"the job server at {self._address} must accept what it is asked, but it answers: "
                f"{_last_line(text)}"
            ) from error


def open_server(address: str) -> RayJobServer:
    """Connect to the job server at an address.

    Raises:
        InvalidValueError: if the address cannot be one.
        RayError: if no job server answers there, or it refuses the token or the version of Ray.
    """
    return RayJobServer(contact(address))


def _client(found: Contact) -> Any:
    """Ray's client of a job server that has answered."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Importing Ray takes a second, which only those wait who talk to a job server.
    import ray.job_submission

    class Client(ray.job_submission.JobSubmissionClient):  # type: ignore[misc]
        def _do_request(self, *words: Any, **more: Any) -> Any:
            return super()._do_request(*words, **{"timeout": _WAITS_S, **more})

    # They would write to the terminal about every folder that is uploaded.
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # These variables would be used in place of the address that was given.
    before = {name: os.environ.pop(name) for name in _ADDRESSES if name in os.environ}
    try:
        return Client(found.address, headers=dict(found.headers))
    finally:
        os.environ.update(before)


def _state(details: Any) -> JobState:
    return JobState(
        details.submission_id,
        getattr(details.status, "value", str(details.status)),
        details.driver_exit_code,
        details.message or "",
        details.metadata or {},
        details.start_time or 0,
        details.end_time or 0,
    )


def _last_line(text: str) -> str:
    """The last line of an answer, which may be a whole traceback of the server."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "nothing"
