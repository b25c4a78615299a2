"""What is minimised: MLE, ELBO and SELBO, with all their terms and derivatives by q.

Per datum, with n training points, u uniform over 2^N strings and λ >= 0 (arXiv 2506.05888):

- MLE:   F = Σ q·nll
- ELBO:  F = Σ q·nll + (λ/n) KL(q‖u), where KL = N ln 2 − H[q]
- SELBO: F = Σ q·nll + (λ/n) MMD²(q, u), Gaussian kernel of bandwidth h

The gradient of F over circuit parameters is that of the expectation of ∂F/∂q, held fixed.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np

from qhn.core.arrays import FloatArray, IntArray, readonly
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.objectives.kernels import COMPILED_SIZE, correlation

if TYPE_CHECKING:
    from qhn.core.evaluation.problem import Problem

Name = Literal["mle", "elbo", "selbo"]

_NO_STRINGS: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Terms:
    """The terms of every objective at one distribution, in natural logarithms.

    Attributes:
        nll: Σ q·nll, mean negative log-likelihood per datum.
        kl: KL(q‖u).
        mmd2: MMD²(q, u) at the objective's own bandwidth h (N/4 for MLE and ELBO unless given),
            so values of different h are different quantities.
        entropy: H[q].
    """

    nll: float
    kl: float
    mmd2: float
    entropy: float


class Objective:
    """One objective over distributions on 2^N strings, with its buffer.

    Args:
        name: ``"mle"``, ``"elbo"`` or ``"selbo"``.
        nll: mean negative log-likelihood of each network, shape ``(2^N,)``; contiguous doubles
            are not copied.
        n_points: n, number of training points.
        bandwidth: h, a number; N/4 if not given.
        prior_samples: m, with which SELBO estimates MMD² from m prior strings, without bias;
            the closed form if not given.

    Raises:
        InvalidValueError: if a value breaks its rule.
    """

    def __init__(
        self,
        name: Name,
        nll: FloatArray,
        n_points: int,
        bandwidth: float | None = None,
        prior_samples: int | None = None,
    ) -> None:
        nll = readonly(nll)
        if name not in get_args(Name):
            raise InvalidValueError(
                f"objective must be one of {', '.join(get_args(Name))}, but got {name!r}"
            )
        n_qubits = nll.size.bit_length() - 1
        if nll.ndim != 1 or n_qubits < 1 or nll.size != 2**n_qubits:
            raise InvalidValueError(
                f"nll must have the shape (2^N,) with N >= 1, but got {nll.shape}"
            )
        check_count("n_points", n_points)
        if prior_samples is not None and check_count("prior_samples", prior_samples) < 2:
            raise InvalidValueError(
                f"`prior_samples >= 2` must hold (an unbiased estimate needs pairs), "
                f"but got prior_samples={prior_samples}; leave it out for the closed form"
            )
        self.name: Name = name
        self.nll = nll
        self.n_points = n_points
        self.n_qubits = n_qubits
        self.bandwidth = n_qubits / 4 if bandwidth is None else float(bandwidth)
        self.prior_samples = prior_samples
        self._correlation = correlation(self.bandwidth)
        self._buffer = np.zeros(nll.size)
        self._passes = _passes(nll.size)

    @classmethod
    def of(
        cls,
        name: Name,
        problem: Problem,
        bandwidth: float | None = None,
        prior_samples: int | None = None,
    ) -> Self:
        """The objective on a problem's table, with n its number of training points.

        Raises:
            InvalidValueError: if a value breaks its rule.
        """
        return cls(name, problem.nll, problem.n_train, bandwidth, prior_samples)

    def value_and_observable(
        self, q: FloatArray, lambda_: float, prior: IntArray | None = None
    ) -> tuple[float, FloatArray]:
        """F(q) and ∂F/∂q.

        Args:
            q: distribution, shape ``(2^N,)``.
            lambda_: λ; MLE does not use it.
            prior: m indices of strings drawn from the prior, if SELBO samples it.

        Returns:
            F and its derivatives, shape ``(2^N,)``: read-only for MLE, else the objective's one
            buffer, valid until the next call of this method or of `terms`. Where q is 0, the
            derivative of q·ln q is taken at the smallest double, so it is finite.

        Raises:
            InvalidValueError: if q has another shape, or ``prior`` is missing, has another
                length than m, or holds anything but integers in range.
        """
        q = self._checked(q)
        weight = lambda_ / self.n_points
        if self.name == "mle":
            return self._passes.expectation(q, self.nll), self.nll
        if self.name == "elbo":
            nll, kl = self._passes.relative_entropy(q, self.nll, weight, self._buffer)
            return nll + weight * kl, self._buffer
        nll, mmd2 = self._discrepancy(q, self._checked_prior(prior), weight)
        return nll + weight * mmd2, self._buffer

    def terms(self, q: FloatArray) -> Terms:
        """All terms, exactly, whatever the objective; overwrites the buffer of ∂F/∂q."""
        q = self._checked(q)
        nll, kl = self._passes.relative_entropy(q, self.nll, 0.0, self._buffer)
        _, mmd2 = self._discrepancy(q, _NO_STRINGS, 0.0)
        return Terms(nll=nll, kl=kl, mmd2=mmd2, entropy=self.n_qubits * math.log(2.0) - kl)

    def _discrepancy(self, q: FloatArray, prior: IntArray, weight: float) -> tuple[float, float]:
        nll, mmd2 = self._passes.discrepancy(
            q, self.nll, prior, weight, self._correlation, self._buffer
        )
        return nll, mmd2

    def _checked(self, q: FloatArray) -> FloatArray:
        q = readonly(q)
        # Compiled passes check no bounds.
        if q.shape != self.nll.shape:
            raise InvalidValueError(
                f"q must have the shape (2^N,) = {self.nll.shape}, but got {q.shape}"
            )
        return q

    def _checked_prior(self, prior: IntArray | None) -> IntArray:
        if self.prior_samples is None:
            return _NO_STRINGS
        if prior is None or prior.shape != (self.prior_samples,):
            raise InvalidValueError(
                f"prior must hold the indices of {self.prior_samples} strings, but got "
                f"{'none' if prior is None else f'the shape {prior.shape}'}"
            )
        if not np.issubdtype(prior.dtype, np.integer):
            raise InvalidValueError(f"prior must hold integers, but got {prior.dtype}")
        if prior.min() < 0 or prior.max() >= self.nll.size:
            raise InvalidValueError(
                f"prior must hold indices from 0 to {self.nll.size - 1}, but got "
                f"{prior.min()} to {prior.max()}"
            )
        return np.ascontiguousarray(prior, dtype=np.int64)


def _passes(size: int) -> Any:
    """Compiled passes over q, or for very few outcomes the NumPy ones of the same names."""
    compiled = size >= COMPILED_SIZE
    return importlib.import_module(
        "qhn.core.objectives.divergences" if compiled else "qhn.core.objectives.reference"
    )
