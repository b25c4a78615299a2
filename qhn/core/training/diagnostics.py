"""Failure signatures read from a trial's history, each with the step at which it appeared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.evaluation.problem import Problem
from qhn.core.training.history import History

FLAGS = ("exploding-gradient", "collapse-to-prior", "barren-plateau", "collapse-to-string")

PRIOR_ENTROPY_SHARE = 0.98
SPREAD_ENTROPY_SHARE = 0.5
FLAT_GRADIENT_SHARE = 1e-3
CHANCE_MARGIN = 0.05
STRING_PROBABILITY = 0.99
# Where all networks are equally good, gradients are rounding errors of this size.
_ROUNDING = 1e-12


class Flag(NamedTuple):
    """A failure signature and the step of the first report that shows it."""

    name: str
    step: int


@dataclass(frozen=True)
class Limits:
    """What the signatures are measured against.

    Attributes:
        gradient: the largest gradient norm that the nll term alone could have at any angles,
            (max nll − min nll) / 2 · √(number of parameters): a derivative is half the difference
            of two expectations (parameter shift).
        prior_entropy: N ln 2, in nats.
        chance: expected train accuracy of the uniform prior.
    """

    gradient: float
    prior_entropy: float
    chance: float

    @classmethod
    def of(cls, problem: Problem, ansatz: Ansatz) -> Self:
        """The limits of one problem and circuit."""
        spread = float(problem.nll.max() - problem.nll.min())
        largest = float(np.abs(problem.nll).max())
        return cls(
            gradient=(spread / 2 + _ROUNDING * largest) * math.sqrt(ansatz.n_parameters),
            prior_entropy=problem.n_qubits * math.log(2),
            chance=float(problem.train_accuracy.mean()),
        )


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

    The last three must hold at the latest report, and carry the first step of the unbroken
    stretch of reports that leads to it.
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
    exploding = ~(norm <= limits.gradient)
    starts = {
        "exploding-gradient": int(exploding.argmax()) if exploding.any() else None,
        "collapse-to-prior": _stretch(full | (at_rest & spread & (lambda_ > 0))),
        "barren-plateau": _stretch(np.logical_and.accumulate(idle) & ~full),
        "collapse-to-string": _stretch(entropy <= _string_entropy()),
    }
    return [Flag(name, history.steps[row]) for name in FLAGS if (row := starts[name]) is not None]


def _string_entropy() -> float:
    p = STRING_PROBABILITY
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def _stretch(shown: NDArray[np.bool_]) -> int | None:
    """The first row of the unbroken stretch that reaches the last row; None if there is none."""
    if not shown[-1]:
        return None
    gaps = np.flatnonzero(~shown)
    return int(gaps[-1]) + 1 if len(gaps) else 0
