"""The objectives MLE, ELBO, SELBO and KALE, with all their terms and derivatives by q.

With n training points, the uniform distribution u over 2^N strings and λ >= 0, each objective is
minimised per datum (arXiv 2506.05888):

- MLE:   F = Σ q·nll
- ELBO:  F = Σ q·nll + (λ/n) KL(q‖u), where KL = N ln 2 − H[q]
- SELBO: F = Σ q·nll + (λ/n) MMD²(q, u), with a Gaussian kernel of bandwidth h
- KALE:  F = Σ q·nll + (λ/n) KALE(q‖u), with the same kernel (`qhn.core.objectives.kale`)

The gradient of F by the circuit's angles is the gradient of the expectation value of the observable
∂F/∂q, held fixed.
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
from qhn.core.objectives.kale import kale
from qhn.core.objectives.kernels import COMPILED_SIZE, Bandwidth, as_bandwidth, correlations

if TYPE_CHECKING:
    from qhn.core.evaluation.problem import Problem

Name = Literal["mle", "elbo", "selbo", "kale"]

_NO_STRINGS: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Terms:
    """The terms of all objectives at one distribution q.

    Attributes:
        nll: Σ q·nll, the expected negative log-likelihood per datum, in nats.
        kl: KL(q‖u), in nats.
        mmd2: MMD²(q, u) at the bandwidth h of the objective, which is N/4 unless it is given.
            Values for different h are different quantities.
        entropy: H[q], in nats.
        kale: KALE(q‖u) at the bandwidth and the regularisation of the objective; None unless the
            objective is KALE, since it takes longer than all others.
    """

    nll: float
    kl: float
    mmd2: float
    entropy: float
    kale: float | None = None


class Objective:
    """One objective of distributions on 2^N strings, with a buffer for its derivatives.

    Args:
        name: ``"mle"``, ``"elbo"``, ``"selbo"`` or ``"kale"``.
        nll: mean negative log-likelihood of each network in nats, shape ``(2^N,)``. Contiguous
            arrays of float64 are not copied.
        n_points: n, the number of training points.
        bandwidth: h, a positive number, or several for the sum of their kernels; N/4 if it is not
            given.
        prior_samples: m >= 2, if SELBO is to estimate MMD² without bias from m strings of the
            prior. If it is not given, MMD² has its closed form, which has no variance.
        regularisation: α > 0 of KALE; no other objective has it.

    Raises:
        InvalidValueError: if a value is out of its range, or ``nll`` has another shape.
    """

    def __init__(
        self,
        name: Name,
        nll: FloatArray,
        n_points: int,
        bandwidth: Bandwidth | None = None,
        prior_samples: int | None = None,
        regularisation: float | None = None,
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
        if (name == "kale") != (regularisation is not None):
            raise InvalidValueError(
                f"kale needs a regularisation and no other objective has one, but got {name} with "
                f"regularisation={regularisation}"
            )
        self.name: Name = name
        self.regularisation = regularisation
        self.nll = nll
        self.n_points = n_points
        self.n_qubits = n_qubits
        self.bandwidth = as_bandwidth(bandwidth, n_qubits)
        self.prior_samples = prior_samples
        self._correlations = correlations(self.bandwidth)
        self._buffer = np.zeros(nll.size)
        self._passes = _passes(nll.size)

    @classmethod
    def of(
        cls,
        name: Name,
        problem: Problem,
        bandwidth: Bandwidth | None = None,
        prior_samples: int | None = None,
        regularisation: float | None = None,
    ) -> Self:
        """The objective for a problem: with its table, and with its number of training points as n.

        Raises:
            InvalidValueError: if a value is out of its range.
        """
        return cls(name, problem.nll, problem.n_train, bandwidth, prior_samples, regularisation)

    def value_and_observable(
        self, q: FloatArray, lambda_: float, prior: IntArray | None = None
    ) -> tuple[float, FloatArray]:
        """The value F(q) and the derivatives ∂F/∂q.

        Args:
            q: a distribution, shape ``(2^N,)``.
            lambda_: λ. MLE does not use it.
            prior: the indices of m strings drawn from the prior, if SELBO samples it.

        Returns:
            F and its derivatives, shape ``(2^N,)``. For MLE the derivatives are the read-only
            table. Otherwise they are the only buffer of this object, which the next call of this
            method or of `terms` overwrites. Where q is 0, the derivative of q·ln q is taken at the
            smallest double, so it is finite.

        Raises:
            InvalidValueError: if q has another shape, or if ``prior`` is missing, has another
                length than m, or holds anything but integers in [0, 2^N).
            DivergedError: if KALE could not be computed.
        """
        q = self._checked(q)
        weight = lambda_ / self.n_points
        if self.name == "mle":
            return self._passes.expectation(q, self.nll), self.nll
        if self.name == "elbo":
            nll, kl = self._passes.relative_entropy(q, self.nll, weight, self._buffer)
            return nll + weight * kl, self._buffer
        if self.name == "kale":
            divergence, derivatives = self._kale(q)
            np.multiply(derivatives, weight, out=self._buffer)
            self._buffer += self.nll
            return self._passes.expectation(q, self.nll) + weight * divergence, self._buffer
        nll, mmd2 = self._discrepancy(q, self._checked_prior(prior), weight)
        return nll + weight * mmd2, self._buffer

    def terms(self, q: FloatArray) -> Terms:
        """All terms at q, shape ``(2^N,)``: exact, and but for KALE the same for every objective.

        The buffer of ∂F/∂q is overwritten.

        Raises:
            InvalidValueError: if q has another shape.
        """
        q = self._checked(q)
        # A weight of 0 leaves only the terms. The derivatives that the passes write are not used.
        nll, kl = self._passes.relative_entropy(q, self.nll, 0.0, self._buffer)
        _, mmd2 = self._discrepancy(q, _NO_STRINGS, 0.0)
        return Terms(
            nll=nll,
            kl=kl,
            mmd2=mmd2,
            entropy=self.n_qubits * math.log(2.0) - kl,
            kale=None if self.regularisation is None else self._kale(q)[0],
        )

    def _kale(self, q: FloatArray) -> tuple[float, FloatArray]:
        assert self.regularisation is not None
        return kale(q, self.bandwidth, self.regularisation)

    def _discrepancy(self, q: FloatArray, prior: IntArray, weight: float) -> tuple[float, float]:
        first, *others = self._correlations
        nll, mmd2 = self._passes.discrepancy(q, self.nll, prior, weight, first, self._buffer)
        for c in others:
            # Each pass adds the table to its derivatives, which only the first one may keep.
            part = np.empty_like(self._buffer)
            mmd2 += self._passes.discrepancy(q, self.nll, prior, weight, c, part)[1]
            part -= self.nll
            self._buffer += part
        return nll, mmd2

    def _checked(self, q: FloatArray) -> FloatArray:
        q = readonly(q)
        # Compiled code does not check bounds.
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
    """The compiled passes over q, or for few outcomes the NumPy functions of the same names."""
    # The module is imported by name here, because `divergences` imports Numba: a fifth of a second
    # that nobody needs who only reads a sweep file.
    compiled = size >= COMPILED_SIZE
    return importlib.import_module(
        "qhn.core.objectives.divergences" if compiled else "qhn.core.objectives.reference"
    )
