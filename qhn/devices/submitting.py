"""What every device with a queue checks: jobs before they leave this machine, and their parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.devices.opening import check_sets
from qhn.devices.queued import Part

# What all providers take as a tag or a token.
_SUBMISSION = re.compile(r"[0-9A-Za-z-]{1,64}")


def check_job(submission: str, parts: Sequence[Part]) -> None:
    """Check a job that is about to be submitted.

    Args:
        submission: its submission id.
        parts: its parts.

    Raises:
        InvalidValueError: if the id is not 1 to 64 letters, digits and hyphens, if there are no
            parts, if a number of shots is not a whole number from 1 on, or if angles have another
            shape than their circuit or are not finite.
    """
    if not _SUBMISSION.fullmatch(submission):
        raise InvalidValueError(
            f"a submission id must be 1 to 64 letters, digits and hyphens, but got {submission!r}"
        )
    if not parts:
        raise InvalidValueError("a job must have at least one part, but got none")
    for part in parts:
        check_count("shots", part.shots)
        check_sets(part.sets, part.ansatz)
        check_count("sets", len(part.sets))
        if not np.isfinite(part.sets).all():
            raise InvalidValueError("angles must be finite, but got NaN or infinity among them")


def check_places(job_id: str, places: Iterable[int], count: int) -> None:
    """Check that a job has the parts that somebody wants to fetch.

    Args:
        job_id: the provider's id of the job.
        places: the numbers of the wanted parts, from 0 on.
        count: how many parts the job has.

    Raises:
        InvalidValueError: if there is no part of such a number.
    """
    for place in places:
        # A negative number would count from the end, and give one trial the samples of another.
        if not 0 <= place < count:
            raise InvalidValueError(
                f"the parts of job {job_id} have the numbers 0 to {count - 1}, but got {place}"
            )
