"""What the rehearsal device says when something goes wrong: the words of real providers.

Their libraries raise most errors as one class with the reason in its text, which is why a client
must tell them apart by words. So this module has one class, and it is no `QhnError`: code that
handles these errors can handle those of a provider.
"""

from __future__ import annotations

#: What a call that failed says if nothing can have been submitted by it.
NOTHING_ARRIVED = (
    "429 Client Error: Too Many Requests for url: /jobs",
    "Max retries exceeded with url: /jobs (Caused by NewConnectionError('Failed to establish a "
    "new connection: [Errno 111] Connection refused'))",
    "The backend is under maintenance and accepts no jobs at the moment. Error code: 1004",
)
#: What a submission says whose answer was lost: the job may have been accepted.
ANSWER_LOST = (
    "HTTPSConnectionPool(host='qpu', port=443): Read timed out. (read timeout=30)",
    "504 Server Error: Gateway Time-out for url: /jobs",
    "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
    "500 Server Error: Internal Server Error for url: /jobs. Error code: 1000",
)
#: What a job says that failed at the provider.
JOB_FAILED = (
    "Job failed during execution: the control electronics did not respond. Error code: 6000",
    "Job failed: the calibration of the device was interrupted. Error code: 6054",
)
SESSION_CLOSED = "Session has been closed: it has reached its maximum number of jobs."


class ProviderError(Exception):
    """What the provider answered instead of doing what it was asked to. Its text is the reason."""


def too_many_pending(limit: int) -> str:
    """A job is refused because so many are waiting or executing."""
    return (
        f"403 Client Error: Forbidden for url: /jobs. Reached the maximum number of pending jobs "
        f"({limit}). Error code: 3458"
    )


def too_many_submissions(limit: int) -> str:
    """A job is refused because so many were accepted within a minute."""
    return f"429 Client Error: Too Many Requests for url: /jobs. Rate limit: {limit} per minute"


def too_large(what: str, count: int, limit: int) -> str:
    """A job is refused because it has more of something than one job may have."""
    return (
        f"400 Client Error: Bad Request for url: /jobs. The job has {count} {what}, which exceeds "
        f"the {limit} that one job may have. Error code: 1003"
    )


def other_content(submission: str) -> str:
    """A job is refused because its submission id was used for other work."""
    return (
        f"ValidationException: the client token {submission} was used for a job with other "
        "content, and is not valid for this one"
    )


def unknown_job(job_id: str) -> str:
    """There is no job with this id."""
    return f"404 Client Error: Not Found for url: /jobs. Job not found: {job_id}"


def not_done(job_id: str, phase: str) -> str:
    """The results of a job were asked for that has none yet."""
    return f"Results of job {job_id} are not available yet: its status is {phase.upper()}"


def has_failed(job_id: str, why: str) -> str:
    """The results of a job were asked for that has failed."""
    return f"Unable to retrieve the results of job {job_id}, which has failed. {why}"
