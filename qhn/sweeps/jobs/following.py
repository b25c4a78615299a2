"""Follows a job: what it prints, until it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from qhn.core.errors import NotFoundError, RayError
from qhn.sweeps.jobs.server import JobServer, JobState

#: The exit codes of ``qhn sweep run``; see `qhn.cli.main`.
_FAILED, _MENDABLE, _LOST, _INTERRUPTED = 1, 2, 3, 130
# The exit codes with which a shell says that there is no such program.
_NO_PROGRAM = (126, 127)
_OWN_CODES = (0, _FAILED, _MENDABLE, _LOST, _INTERRUPTED)
# The last line that Ray itself writes before the job's own output.
_MARK = "Running entrypoint for job "
_LOOK_EVERY_S = 1.0
# An answer has all that the job has printed so far. Longer ones are asked for more rarely.
_CHARACTERS_PER_S = 200_000
_AWAY_S = 60.0


@dataclass(frozen=True)
class Clock:
    """Time for those who wait, which tests replace.

    Attributes:
        now: the time in seconds.
        sleep: waits some seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


CLOCK = Clock()


def follow(
    server: JobServer,
    job_id: str,
    write: Callable[[str], None],
    *,
    enough: Callable[[str], bool] | None = None,
    clock: Clock = CLOCK,
    look_every_s: float = _LOOK_EVERY_S,
) -> JobState:
    """Write what a job prints until it is over.

    Args:
        server: the job server. It may be away for a minute.
        job_id: the job.
        write: takes each new part of the output.
        enough: ends the following, if it is true for all that the job has printed so far.
        clock: the time.
        look_every_s: how long to wait between two looks.

    Returns:
        How the job stood at the last look.

    Raises:
        RayError: if the server does not answer for a minute.
        NotFoundError: if it does not know the job, also because its Ray was started anew.
    """
    shown, answered = 0, clock.now()
    while True:
        text = ""
        try:
            # The state is asked for first. In the other order, the last lines of a job that ends in
            # between would be missed.
            state = server.state(job_id)
            text = own_output(server.output(job_id))
        except NotFoundError:
            raise
        except RayError:
            if clock.now() - answered > _AWAY_S:
                raise
        else:
            answered = clock.now()
            if len(text) > shown:
                write(text[shown:])
                shown = len(text)
            if state.is_over or (enough is not None and enough(text)):
                return state
        clock.sleep(look_every_s + len(text) / _CHARACTERS_PER_S)


def own_output(text: str) -> str:
    """What a job itself has printed, of all that Ray keeps as its output."""
    place = text.find(_MARK) if text.startswith(_MARK) else text.find("\n" + _MARK) + 1
    if not text.startswith(_MARK, place):
        return ""
    return text[place:].partition("\n")[2]


def exit_code(state: JobState) -> int:
    """The exit code of a job that is over, as that of ``qhn sweep run``.

    Raises:
        RayError: if the job could not begin, or the machine of the job server has no qhn.
    """
    if state.status == "SUCCEEDED":
        return 0
    if state.exit_code in _NO_PROGRAM:
        raise RayError(
            "the head of the cluster must have qhn on the search path of its Ray, but it has not; "
            "install it there in the environment of Ray, and start Ray with that environment's "
            "folder of programs in PATH"
        )
    if state.exit_code in _OWN_CODES:
        return state.exit_code
    if state.status == "STOPPED":
        return _INTERRUPTED
    if state.exit_code is None:
        raise RayError(
            f"the job must have begun on the head of the cluster, but it has not: "
            f"{_first_line(state.message)}"
        )
    return _LOST


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0] or "Ray does not say why"
