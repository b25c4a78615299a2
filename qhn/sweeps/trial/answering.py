"""How long a trial works before it answers, so that one driver can hear of many trials."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from qhn.sweeps.trial.session import Progress

#: The seconds of training after which a trial is saved.
PIECE_SECONDS = 1.0
#: How many answers of trials that go on a driver should get in a second. It could take several
#: times as many, but the ends of trials take it longer (`benchmarks/capacity.py` measures both).
ANSWERS_PER_SECOND = 100.0


class Session(Protocol):
    """What trains a trial piece by piece: a `TrialSession`."""

    def work(self, seconds: float) -> Progress:
        """Train for some time, or to the end of the training, and save a checkpoint."""


def answer_seconds(live: int) -> float:
    """How many seconds a trial works before it answers.

    Args:
        live: how many trials are alive at once.
    """
    return max(PIECE_SECONDS, live / ANSWERS_PER_SECOND)


def work_until_answer(
    session: Session,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    must_leave: Callable[[], bool] = lambda: False,
) -> Progress:
    """Train until an answer is due, and save the trial after each piece of work.

    Args:
        session: the training.
        seconds: how long to train before the answer, see `answer_seconds`.
        clock: returns the time in seconds, from any beginning.
        must_leave: returns whether the process is about to end, so that no other piece begins.

    Returns:
        How far the trial is, with the seconds of training of all pieces.
    """
    due = clock() + seconds
    progress = session.work(PIECE_SECONDS)
    while not progress.finished and clock() < due and not must_leave():
        before, progress = progress, session.work(PIECE_SECONDS)
        progress = replace(progress, seconds=before.seconds + progress.seconds)
    return progress
