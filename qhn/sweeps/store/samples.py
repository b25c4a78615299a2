"""Samples that were paid for and cannot be drawn again, one file for each training step::

    <trial id>/samples/<step>.npy    indices of outcomes, in the smallest type that holds them

They are never deleted while the trial is kept, because they are the record of an experiment. What a
training makes of them can be computed again at any time.
"""

from __future__ import annotations

import io

import numpy as np

from qhn.core.arrays import IntArray
from qhn.core.errors import DamagedError
from qhn.sweeps.store.formats import fingerprint
from qhn.sweeps.store.store import Store


def save_samples(store: Store, trial_id: str, step: int, samples: IntArray) -> None:
    """Keep the samples of a step. When this returns, they outlive a power cut.

    Args:
        store: where the trial is kept.
        trial_id: the id of the trial.
        step: the step of its training.
        samples: indices of outcomes, shape ``(M, S)``, none of them negative.
    """
    compact = samples.astype(np.min_scalar_type(int(samples.max(initial=0))))
    buffer = io.BytesIO()
    np.save(buffer, compact, allow_pickle=False)
    store.backend.put(_key(trial_id, step), buffer.getvalue())


def read_samples(store: Store, trial_id: str, step: int, shape: tuple[int, int]) -> IntArray | None:
    """The samples of a step, or None if none are kept.

    Args:
        store: where the trial is kept.
        trial_id: the id of the trial.
        step: the step of its training.
        shape: the number of circuits and of shots that they must have.

    Raises:
        DamagedError: if they cannot be read, or have another shape.
    """
    key = _key(trial_id, step)
    content = store.backend.get(key)
    if content is None:
        return None
    try:
        found = np.load(io.BytesIO(content), allow_pickle=False)
        if found.shape != shape or found.dtype.kind != "u":
            raise ValueError(
                f"it must have samples of shape {shape}, but has {found.shape} of {found.dtype}"
            )
    except (ValueError, EOFError, OSError) as error:
        raise DamagedError(key, str(error), fingerprint(content)) from None
    wide: IntArray = found.astype(np.int64)
    return wide


def _key(trial_id: str, step: int) -> str:
    return f"{trial_id}/samples/{step:06}.npy"
