"""Failure signatures read from a trial's history, each with the step at which it appeared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from qhn.core.ansatz import Ansatz
from qhn.core.history import History
from qhn.core.problem import Problem

FLAGS = ("exploding-gradient", "collapse-to-prior", "barren-plateau", "collapse-to-string")

PRIOR_ENTROPY_SHARE = 0.98
PLATEAU_GRADIENT_SHARE = 1e-3
PLATEAU_ACCURACY_MARGIN = 0.05
STRING_PROBABILITY = 0.99


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
        return cls(
            gradient=spread / 2 * math.sqrt(ansatz.n_parameters),
            prior_entropy=problem.n_qubits * math.log(2),
            chance=float(problem.train_accuracy.mean()),
        )


def diagnose(history: History, limits: Limits) -> list[Flag]:
    """The signatures that a history shows, in the order of `FLAGS`.

    * ``exploding-gradient``: at any report, a gradient that is not finite or longer than the nll
      term alone could make it: the regulariser drives the training (λ too large, h too small).
    * ``collapse-to-prior``: at the latest report, an entropy of at least 0.98 N ln 2.
    * ``barren-plateau``: at the latest report, a gradient below 10⁻³ of the same limit, while the
      expected train accuracy is within 0.05 of chance and the entropy below the prior's 0.98.
    * ``collapse-to-string``: at the latest report, an entropy of at most
      h(0.99) = −0.99 ln 0.99 − 0.01 ln 0.01 = 0.056 nats, that of a string of probability 0.99
      and one other. Some string then has at least e^−0.056 = 0.945.

    Those of the latest report carry the first step of the unbroken stretch that leads to it.
    """
    if not len(history):
        return []
    norm, entropy = history.column("gradient_norm"), history.column("entropy")
    accuracy = history.column("train_accuracy_expected")
    near_prior = entropy >= PRIOR_ENTROPY_SHARE * limits.prior_entropy
    at_chance = np.abs(accuracy - limits.chance) <= PLATEAU_ACCURACY_MARGIN
    flat = norm < PLATEAU_GRADIENT_SHARE * limits.gradient
    exploding = ~(norm <= limits.gradient)
    starts = {
        "exploding-gradient": int(exploding.argmax()) if exploding.any() else None,
        "collapse-to-prior": _stretch(near_prior),
        "barren-plateau": _stretch(flat & at_chance & ~near_prior),
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
