"""What happens by chance at the rehearsal device, each thing from the seed and its own name.

There is no generator whose state is carried along. So two processes that submit in another order
meet the same waiting times and failures for the same submissions.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from qhn.devices.rehearsal.presets import QueueSpread


def uniform(seed: int, *what: object) -> float:
    """A number in [0, 1), the same in every process.

    Args:
        seed: the seed of the settings.
        what: what is decided, for example ``"failure"``, a submission id and the number of a try.
    """
    # A text seeds the same numbers in every process, which a hash of a tuple would not.
    return random.Random(" ".join(map(str, (seed, *what)))).random()


def happens(rate: float, seed: int, *what: object) -> bool:
    """Whether something with this probability happens."""
    # Most rates are zero, and a seeded generator takes longer than the rest of a call.
    return rate > 0.0 and uniform(seed, *what) < rate


def one_of(words: Sequence[str], seed: int, *what: object) -> str:
    """One of several texts."""
    return words[int(uniform(seed, "words", *what) * len(words))]


def queue_time(mean: float, spread: QueueSpread, seed: int, *what: object) -> float:
    """How long a job waits, in the unit of the mean."""
    if spread == "constant" or mean == 0.0:
        return mean
    return -mean * math.log1p(-uniform(seed, "queue", *what))
