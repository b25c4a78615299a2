"""What a command does first if it runs as a job."""

from __future__ import annotations

import json
import os
from contextlib import suppress

from qhn.core.errors import InvalidValueError
from qhn.sweeps.jobs.commands import submitted_by
from qhn.version import VERSION

# Ray tells the driver of a job by this variable in which surroundings its processes must run.
_SURROUNDINGS = "RAY_JOB_CONFIG_JSON_ENV_VAR"


def enter_job() -> None:
    """Check who has submitted this job, and leave the surroundings that only the job needs.

    Trials need neither the folder with the sweep file nor the variables of the job. For processes
    with surroundings of their own Ray would have to start new ones, and each machine to fetch the
    folder. Outside a job this does nothing.

    Raises:
        InvalidValueError: if another version of qhn has submitted the job.
    """
    theirs = submitted_by()
    if theirs is None:
        return
    if theirs != VERSION:
        raise InvalidValueError(
            f"a sweep must be submitted by the version of qhn that the cluster has, {VERSION}, "
            f"but it comes from qhn {theirs}; install the same version on both sides"
        )
    with suppress(KeyError, ValueError):
        told = json.loads(os.environ[_SURROUNDINGS])
        # The rest is kept: by it Ray's dashboard shows the driver together with its job.
        told.pop("runtime_env", None)
        os.environ[_SURROUNDINGS] = json.dumps(told)
