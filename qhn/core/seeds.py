"""Independent random streams from one seed, one stream for each purpose.

A stream depends on the seed and on its purpose, and on the step if the purpose draws anew at each
step. It never depends on what was drawn before. So a resumed trial continues bit for bit without a
stored generator state.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from qhn.core.checks import check_count


class Purpose(IntEnum):
    """What a stream is used for. The numbers decide every result: append, but never renumber."""

    INITIAL_ANGLES = 0
    TRAIN_DATA = 1
    TEST_DATA = 2
    PRIOR_SAMPLES = 3
    BEST_OF_K = 4
    RANDOM_SEARCH = 5
    #: The errors that happen in noisy circuits.
    NOISE = 6
    #: What a device samples for one step of one trial.
    DEVICE_SAMPLES = 7
    #: The directions in which SPSA moves all angles at once.
    PERTURBATIONS = 8
    #: Which seeds of a task are drawn again for the interval of an aggregate.
    BOOTSTRAP = 9
    #: The directions of the planes on which landscapes are drawn.
    DIRECTIONS = 10
    #: The networks at which a control looks in one step.
    CONTROL = 11
    #: Which training labels are flipped.
    LABEL_NOISE = 12
    VALIDATION = 13


def stream(seed: int, purpose: Purpose, *index: int) -> np.random.Generator:
    """The random generator for a seed, a purpose and, for example, a step.

    Args:
        seed: a whole number from 0 on.
        purpose: what the numbers are used for.
        index: further whole numbers that select a stream, such as the step.

    Raises:
        InvalidValueError: if the seed is not a whole number, or is negative.
    """
    entropy = check_count("seed", seed, least=0)
    # A spawn key selects one of many independent streams of the same seed. If the numbers were
    # added to the seed instead, neighbouring seeds would share streams.
    sequence = np.random.SeedSequence(entropy, spawn_key=(int(purpose), *index))
    # Named explicitly, because NumPy may change the generator behind `default_rng`.
    return np.random.Generator(np.random.PCG64(sequence))
