"""What the loss of a machine has cost, read from the times at which trials did their steps."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Loss:
    """A machine that has gone. All times are in seconds since 1970.

    Attributes:
        node: its name.
        how: ``killed`` or ``drained``.
        when: when its last process ended.
        trained: how many trials were training on it at that moment.
        running: the trials that were running on all machines, and since when at least: the last
            time at which they were not seen to run.
    """

    node: str
    how: str
    when: float
    trained: int
    running: Mapping[str, float]


@dataclass(frozen=True)
class Repeated:
    """What one trial had to do once more.

    Attributes:
        seconds: for how long it had trained without a checkpoint.
        steps: how many steps that were, by the median time that a step of the trial takes.
        away: how many seconds after the loss it did its next step.
        began: whether it had just begun on the lost machine, without a checkpoint there yet. Then
            the seconds are those since it was taken up, at most, and no steps are counted: most of
            that time a trial waits for its data.
    """

    seconds: float
    steps: int
    away: float
    began: bool


def repeated(loss: Loss, steps: Mapping[str, Sequence[float]]) -> list[Repeated]:
    """What the loss of a machine has cost each trial that was on it.

    A trial goes on from its last checkpoint, and the times of its steps are those of the steps that
    were kept. So the trials that were lost are those that have kept nothing for longest after the
    loss, and what they had done since the last step that they have kept before it was in vain.

    Args:
        loss: the machine that has gone.
        steps: the times at which each trial did the steps that it has kept, in their order.
    """
    silent: list[tuple[float, str]] = []
    for trial in loss.running:
        after = [time for time in steps[trial] if time > loss.when]
        if after:  # otherwise it had done all its steps
            silent.append((after[0] - loss.when, trial))
    lost = sorted(silent, reverse=True)[: loss.trained]
    return [_of(loss, loss.running[trial], steps[trial], away) for away, trial in lost]


def _of(loss: Loss, since: float, steps: Sequence[float], away: float) -> Repeated:
    kept = [time for time in steps if since <= time <= loss.when]
    if not kept:
        return Repeated(loss.when - since, 0, away, True)
    seconds = loss.when - kept[-1]
    each = statistics.median(after - before for before, after in pairwise(steps))
    return Repeated(seconds, int(seconds / each), away, False)
