"""Failure signatures in the history of a trial, each with the step at which it appeared."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.core.estimators.estimator import Limits
from qhn.core.metrics import standard_error
from qhn.core.training.history import History

#: All signatures, in the order in which they are reported. Add new ones, but never rename any:
#: stored results contain these names.
FLAGS = (
    "exploding-gradient",
    "collapse-to-prior",
    "barren-plateau",
    "collapse-to-string",
    "diverged",
    "lost-in-shot-noise",
)

PRIOR_ENTROPY_SHARE = 0.98
SPREAD_ENTROPY_SHARE = 0.5
FLAT_GRADIENT_SHARE = 1e-3
CHANCE_MARGIN = 0.05
STRING_PROBABILITY = 0.99
LOST_NOISE_RATIO = 2.0


class Flag(NamedTuple):
    """A failure signature, and the step of the first report that shows it."""

    name: str
    step: int


def diagnose(history: History, limits: Limits) -> list[Flag]:
    """The signatures that a history shows, in the order of `FLAGS`.

    A gradient is called flat if its norm is below 10⁻³ of ``limits.gradient``. Measured for random
    angles of brickwork circuits with one to eight layers on 14 to 18 qubits, the flattest of 100
    circuits of each size has 3·10⁻³. Random states, which deep circuits approach, have 5·10⁻⁴ at 17
    qubits and 3·10⁻⁴ at 18, but 1.1·10⁻³ to 1.6·10⁻³ at 14. So no circuit of 14 qubits starts on
    what is called a plateau here. A report is at chance if its expected training accuracy differs
    from chance by at most 0.05.

    * ``exploding-gradient``: the gradient of any report is not finite, or larger than the nll term
      alone could make it. The regulariser dominates the training, because λ is too large. For
      random angles on moons (14 qubits, two layers, n = 100) this needs λ = 600 with KL, and 10,000
      with MMD² at h = 2. A small h does not cause it: the norm of the gradient of MMD² falls from
      0.095 at h = 2 to 0.006 at h = 0.2, where the kernel shows that strings differ but not by how
      much.
    * ``collapse-to-prior``: the entropy is at least 0.98 N ln 2; or the training has come to rest
      at chance with a regulariser (λ > 0). The latter means that the gradient is flat now but was
      not before, and that the entropy is at least half of N ln 2. MMD² becomes small long before
      the entropy is full: on moons, SELBO with λ = 1000 rests at chance with an entropy of
      0.66 N ln 2, and ELBO with λ = 10 with 0.92 N ln 2.
    * ``barren-plateau``: all reports from the first on are flat and at chance, with an entropy
      below 0.98 N ln 2. There never was a slope to follow.
    * ``collapse-to-string``: the entropy is at most −0.99 ln 0.99 − 0.01 ln 0.01 = 0.056 nats, the
      entropy of two strings of which one has the probability 0.99. Some string then has a
      probability of at least e^−0.056 = 0.945.
    * ``diverged``: the objective or the gradient of any report is not finite. No later report can
      be better, because angles that are not finite remain so.
    * ``lost-in-shot-noise``: the training is at chance, and from the first report on its gradient
      could not be told from the noise of the shots. That is, the squared norms of the gradients of
      all reports so far add up to at most twice what noise alone would give. A training that has
      found a minimum has such gradients too, but it had others before, and it is not at chance.
      This needs the standard errors that only estimates from samples have. See `shots_to_lift`.

    The second, third, fourth and last signature must be present at the latest report. Their step is
    the first one of the unbroken series of reports that leads to it. A metric that the history does
    not have shows nothing. Devices that only sample give no entropy, so a collapse to the prior or
    to one string is not seen there.
    """
    if not len(history):
        return []
    norm, entropy = history.column("gradient_norm"), history.column("entropy")
    accuracy, lambda_ = history.column("train_accuracy_expected"), history.column("lambda")
    full = entropy >= PRIOR_ENTROPY_SHARE * limits.prior_entropy
    spread = entropy >= SPREAD_ENTROPY_SHARE * limits.prior_entropy
    flat = norm < FLAT_GRADIENT_SHARE * limits.gradient
    at_chance = np.abs(accuracy - limits.chance) <= CHANCE_MARGIN
    idle = flat & at_chance
    at_rest = idle & ~np.logical_and.accumulate(flat)
    # An absent metric reads as NaN. It must not be mistaken for a metric that is not finite.
    held = {name: name in history.names for name in ("gradient_norm", "objective")}
    # A negated `<=` and not `>`, so that a norm of NaN counts, too.
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
        "lost-in-shot-noise": _stretch(_lost(history) & at_chance),
    }
    return [Flag(name, history.steps[row]) for name in FLAGS if (row := starts[name]) is not None]


def shots_to_lift(history: History, shots: int) -> int:
    """The least number of shots at which a gradient that is lost could stand out from its noise.

    The squared noise falls as one over the number of shots. At this number it is as large as the
    squared gradient, of which the mean over all reports is taken, or how far that may be off if
    this is more: the gradient may be smaller, and then more shots are needed.

    Args:
        history: the reports, of which the last ones may not be finite.
        shots: the number of shots that the history was made with.
    """
    norm, noise = _squares(history)
    known = np.isfinite(norm) & np.isfinite(noise)
    norm, noise = norm[known], noise[known]
    if not len(norm) or not noise.any():
        return shots
    signal = norm - noise
    # One report does not show how far it may be off. Noise in a single direction has √2 times its
    # own square as standard deviation, and noise in several directions less.
    off = math.sqrt(2) * noise[0] if len(signal) < 2 else signal.std(ddof=1) / math.sqrt(len(norm))
    largest = max(float(signal.mean()), float(off))
    return max(shots, math.ceil(shots * float(noise.mean()) / largest)) if largest else shots


def _squares(history: History) -> tuple[FloatArray, FloatArray]:
    """The squared norm of each report's gradient, and what it would be on average without one."""
    name = standard_error("gradient")
    if name not in history.names:
        return np.full(len(history), np.nan), np.full(len(history), np.nan)
    return np.square(history.column("gradient_norm")), np.square(history.column(name))


def _lost(history: History) -> NDArray[np.bool_]:
    """Whether at each report no gradient so far could be told from noise."""
    # Sums and not single reports: with few angles, noise alone often doubles its own square.
    norm, noise = _squares(history)
    return np.logical_and.accumulate(norm.cumsum() <= LOST_NOISE_RATIO * noise.cumsum())


def _string_entropy() -> float:
    p = STRING_PROBABILITY
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def _first(shown: NDArray[np.bool_]) -> int | None:
    """The first row that is True; None if there is none."""
    return int(shown.argmax()) if shown.any() else None


def _stretch(shown: NDArray[np.bool_]) -> int | None:
    """The first row of the unbroken series of True that reaches the last row; None if none does."""
    if not shown[-1]:
        return None
    gaps = np.flatnonzero(~shown)
    return int(gaps[-1]) + 1 if len(gaps) else 0
