"""Independent random streams from one seed, one for each purpose.

A stream depends on the seed, its purpose and (where a purpose draws anew at each step) the step,
never on what was drawn before. So a resumed trial needs no generator state to go on bit for bit.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from qhn.core.checks import check_count


class Purpose(IntEnum):
    """What a stream is for. Values are part of every result: append, never renumber."""

    INITIAL_ANGLES = 0
    TRAIN_DATA = 1
    TEST_DATA = 2
    PRIOR_SAMPLES = 3
    BEST_OF_K = 4
    RANDOM_SEARCH = 5


def stream(seed: int, purpose: Purpose, *index: int) -> np.random.Generator:
    """The random generator of one purpose (and, for example, one step) under a seed.

    Raises:
        InvalidValueError: if the seed is not a whole number, or negative.
    """
    entropy = check_count("seed", seed, least=0)
    sequence = np.random.SeedSequence(entropy, spawn_key=(int(purpose), *index))
    return np.random.Generator(np.random.PCG64(sequence))
