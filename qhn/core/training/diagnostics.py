"""Failure signatures read from a trial's history, each with the step at which it appeared."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qhn.core.estimators.estimator import Limits
from qhn.core.training.history import History

#: In the order in which they are reported. Append: results of before hold the others.
FLAGS = (
    "exploding-gradient",
    "collapse-to-prior",
    "barren-plateau",
    "collapse-to-string",
    "diverged",
)

PRIOR_ENTROPY_SHARE = 0.98
SPREAD_ENTROPY_SHARE = 0.5
FLAT_GRADIENT_SHARE = 1e-3
CHANCE_MARGIN = 0.05
STRING_PROBABILITY = 0.99


class Flag(NamedTuple):
    """A failure signature and the step of the first report that shows it."""

    name: str
    step: int


def diagnose(history: History, limits: Limits) -> list[Flag]:
    """The signatures that a history shows, in the order of `FLAGS`.

    A gradient is called flat below 10⁻³ of ``limits.gradient``. Of 100 random brickwork circuits
    each, the flattest with one to eight layers began at 3·10⁻³ (14 to 18 qubits). Random states,
    which deep circuits approach, have 5·10⁻⁴ at 17 qubits and 3·10⁻⁴ at 18, but 1.1·10⁻³ to
    1.6·10⁻³ at 14: circuits of that size have no start that is called a plateau. A report is at
    chance if its expected train accuracy is within 0.05 of chance.

    * ``exploding-gradient``: at any report, a gradient that is not finite or longer than the nll
      term alone could make it: the regulariser drives the training, λ is too large. At random
      starts on moons (14 qubits, two layers, n = 100) that takes λ = 600 with KL, 10,000 with MMD²
      at h = 2. A small h does not: the norm of MMD²'s gradient falls from 0.095 at h = 2 to 0.006
      at h = 0.2, where the kernel tells strings apart but not how far.
    * ``collapse-to-prior``: an entropy of at least 0.98 N ln 2; or training came to rest at
      chance under a regulariser (λ > 0): flat after having had a slope, with an entropy of at
      least half of N ln 2. MMD² is satisfied long before the entropy is full: SELBO with λ = 1000
      on moons rests at chance with 0.66 N ln 2, ELBO with λ = 10 with 0.92.
    * ``barren-plateau``: flat and at chance at every report from the first on, with an entropy
      below 0.98 N ln 2: there never was a slope to follow.
    * ``collapse-to-string``: an entropy of at most h(0.99) = −0.99 ln 0.99 − 0.01 ln 0.01 =
      0.056 nats, that of a string of probability 0.99 and one other. Some string then has at
      least e^−0.056 = 0.945.
    * ``diverged``: at any report, an objective or a gradient that is not finite. No later report
      can be better: angles that are not finite stay so.

    The three between the first and the last must hold at the latest report, and carry the first
    step of the unbroken stretch of reports that leads to it. A metric that the history does not
    hold shows nothing.
    """
    if not len(history):
        return []
    norm, entropy = history.column("gradient_norm"), history.column("entropy")
    accuracy, lambda_ = history.column("train_accuracy_expected"), history.column("lambda")
    full = entropy >= PRIOR_ENTROPY_SHARE * limits.prior_entropy
    spread = entropy >= SPREAD_ENTROPY_SHARE * limits.prior_entropy
    flat = norm < FLAT_GRADIENT_SHARE * limits.gradient
    idle = flat & (np.abs(accuracy - limits.chance) <= CHANCE_MARGIN)
    at_rest = idle & ~np.logical_and.accumulate(flat)
    # An absent metric reads as NaN, which would pass for one that is not finite.
    held = {name: name in history.names for name in ("gradient_norm", "objective")}
    exploding = ~(norm <= limits.gradient) & held["gradient_norm"]
    diverged = np.zeros(len(history), dtype=np.bool_)
    for name in (name for name, there in held.items() if there):
        diverged |= ~np.isfinite(history.column(name))
    starts = {
        "exploding-gradient": _first(exploding),
        "collapse-to-prior": _stretch(full | (at_rest & spread & (lambda_ > 0))),
        "barren-plateau": _stretch(np.logical_and.accumulate(idle) & ~full),
        "collapse-to-string": _stretch(entropy <= _string_entropy()),
        "diverged": _first(diverged),
    }
    return [Flag(name, history.steps[row]) for name in FLAGS if (row := starts[name]) is not None]


def _string_entropy() -> float:
    p = STRING_PROBABILITY
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def _first(shown: NDArray[np.bool_]) -> int | None:
    """The first row that shows it; None if there is none."""
    return int(shown.argmax()) if shown.any() else None


def _stretch(shown: NDArray[np.bool_]) -> int | None:
    """The first row of the unbroken stretch that reaches the last row; None if there is none."""
    if not shown[-1]:
        return None
    gaps = np.flatnonzero(~shown)
    return int(gaps[-1]) + 1 if len(gaps) else 0
