"""The objectives MLE, SELBO and KALE from samples of q, and what to differentiate.

The values of MLE and SELBO are without bias.

MMD² to the uniform distribution u is E k(σ, σ') − ((1 + c)/2)^N, where σ and σ' are independent
draws from q and c is the kernel's value for strings that differ in one bit. The mean of k over all
pairs of different samples (a U-statistic) estimates the first term without bias. The second one is
exact, because the kernel is a product over bits.

KALE is a maximum over functions. That of the frequencies of the samples, which is computed here, is
too large on average, because the maximum follows the sample; the excess falls as 1/S. The function
that attains the maximum is enumerated, so that this is possible for as many qubits as there can be
tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, get_args

import numpy as np

from qhn.core.arrays import FloatArray, IntArray
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.task import MAX_TABLE_QUBITS
from qhn.core.objectives.kale import kale
from qhn.core.objectives.kernels import Bandwidth, as_bandwidth, correlations, kernel_apply
from qhn.core.objectives.objective import Name

if TYPE_CHECKING:
    from qhn.core.evaluation.task import Task

_BLOCK_PAIRS = 2**18


class KernelMean:
    """The function m(σ) = Σ_j weights[j] · k(σ, strings[j]) on bit strings.

    Args:
        strings: indices of outcomes, shape ``(m,)``. They may repeat.
        weights: one number for each of them, of either sign.
        n_qubits: N.
        bandwidth: h of the kernel, or those of a sum of kernels.
    """

    def __init__(
        self, strings: IntArray, weights: FloatArray, n_qubits: int, bandwidth: Bandwidth
    ) -> None:
        self._table: FloatArray | None = None
        # The kernel is applied to a vector of all 2^N outcomes, which takes a time of O(N·2^N).
        # Beyond that, pairs of strings are compared.
        if n_qubits <= MAX_TABLE_QUBITS:
            spread: FloatArray = np.zeros(1 << n_qubits)
            spread += np.bincount(strings, weights, minlength=1 << n_qubits)
            self._table = kernel_apply(spread, bandwidth, spread)
            return
        self._strings, places = np.unique(strings, return_inverse=True)
        self._weights = np.bincount(places, weights)
        distances = np.arange(n_qubits + 1.0)
        self._by_distance: FloatArray = np.zeros(n_qubits + 1)
        for c in correlations(bandwidth):
            self._by_distance += c**distances

    def at(self, strings: IntArray) -> FloatArray:
        """m at given strings, in the shape of ``strings``."""
        if self._table is not None:
            return self._table[strings]
        asked, places = np.unique(strings, return_inverse=True)
        values = np.empty(len(asked))
        rows = max(1, _BLOCK_PAIRS // len(self._strings))
        for start in range(0, len(asked), rows):
            block = slice(start, start + rows)
            distances = np.bitwise_count(asked[block, None] ^ self._strings)
            kernel = self._by_distance[distances]
            # `einsum` and not a matrix product: BLAS adds in an order of its own.
            values[block] = np.einsum("ij,j->i", kernel, self._weights)
        return values[places].reshape(strings.shape)


@dataclass(frozen=True)
class Drawn:
    """What a sample says of q, as far as the kernel is concerned.

    Attributes:
        samples: indices of outcomes, shape ``(S,)``.
        similarity: the mean of k(σ, s_j) over the samples, as a function of σ.
        to_others: for each sample, the mean of k to all *other* samples, shape ``(S,)``.
    """

    samples: IntArray
    similarity: KernelMean
    to_others: FloatArray


@dataclass(frozen=True)
class Pull:
    """The divergence of an objective at a sample, and how it pulls at strings.

    Attributes:
        value: MMD², without bias, or KALE of the frequencies.
        of_samples: half the derivative by the probability of each sample, shape ``(S,)``.
        at: the same for any strings, as a function of their indices.
        drawn: the samples compared with each other, if that was needed.
    """

    value: float
    of_samples: FloatArray
    at: Callable[[IntArray], FloatArray]
    drawn: Drawn | None


class SampledObjective:
    """One objective, for distributions of which only samples are known.

    Args:
        name: ``"mle"``, ``"selbo"`` or ``"kale"``. The KL divergence of ``"elbo"`` contains the
            entropy of q, of which samples say little.
        n_qubits: N.
        n_points: n, the number of training points.
        bandwidth: h, a positive number, or several for the sum of their kernels; N/4 if it is not
            given.
        prior_samples: m >= 2, if SELBO compares with m strings of the prior; see `Objective`.
        regularisation: α > 0 of KALE; no other objective has it.

    Raises:
        InvalidValueError: if a value is out of its range, or if the objective cannot be estimated.
    """

    def __init__(
        self,
        name: Name,
        n_qubits: int,
        n_points: int,
        bandwidth: Bandwidth | None = None,
        prior_samples: int | None = None,
        regularisation: float | None = None,
    ) -> None:
        if name not in get_args(Name) or name == "elbo":
            raise InvalidValueError(
                "an objective that is estimated from samples must be mle, selbo or kale, but got "
                f"{name}"
            )
        if (name == "kale") != (regularisation is not None):
            raise InvalidValueError(
                f"kale needs a regularisation and no other objective has one, but got {name} with "
                f"regularisation={regularisation}"
            )
        if name == "kale" and n_qubits > MAX_TABLE_QUBITS:
            raise InvalidValueError(
                f"kale is enumerated on at most {MAX_TABLE_QUBITS} qubits, but the circuit has "
                f"{n_qubits}; use selbo"
            )
        self.regularisation = regularisation
        check_count("n_points", n_points)
        if prior_samples is not None:
            check_count("prior_samples", prior_samples, least=2)
        self.name: Name = name
        self.n_qubits = check_count("n_qubits", n_qubits)
        self.n_points = n_points
        self.bandwidth = as_bandwidth(bandwidth, n_qubits)
        self.prior_samples = prior_samples
        # The mean of k over u in one or both arguments: a product of N means over one bit.
        found = correlations(self.bandwidth)
        self.prior_similarity = sum(((1.0 + c) / 2.0) ** n_qubits for c in found)
        # The kernel of a string with itself: 1 for each kernel of the sum.
        self._to_itself = float(len(found))

    @classmethod
    def of(
        cls,
        name: Name,
        problem: Task,
        bandwidth: Bandwidth | None = None,
        prior_samples: int | None = None,
        regularisation: float | None = None,
    ) -> Self:
        """The objective for a problem, with its number of training points as n.

        Raises:
            InvalidValueError: as the constructor.
        """
        n_qubits, n_points = problem.n_qubits, problem.n_train
        return cls(name, n_qubits, n_points, bandwidth, prior_samples, regularisation)

    def weight(self, lambda_: float) -> float:
        """The factor λ/n of the divergence; 0 for MLE, which has no such term."""
        return 0.0 if self.name == "mle" else lambda_ / self.n_points

    def drawn(self, samples: IntArray) -> Drawn:
        """Compare samples with each other.

        Args:
            samples: shape ``(S,)``. For S = 1 there are no pairs, and ``to_others`` is NaN.
        """
        count = len(samples)
        similarity = self.kernel_mean(samples, np.full(count, 1.0 / count))
        with np.errstate(invalid="ignore", divide="ignore"):
            # Of the mean over all S samples, the sample itself is taken away.
            to_others = (count * similarity.at(samples) - self._to_itself) / np.float64(count - 1)
        return Drawn(samples, similarity, to_others)

    def pull(self, samples: IntArray, prior: Drawn | None) -> Pull:
        """The divergence of this objective at a sample.

        Args:
            samples: shape ``(S,)``.
            prior: the strings of the prior, if SELBO compares with such strings.

        Raises:
            DivergedError: if KALE could not be computed.
        """
        if self.name == "kale":
            value, half = self._kale(samples)
            return Pull(value, half[samples], half.__getitem__, None)
        drawn = self.drawn(samples)
        value, of_samples = self.regulariser(drawn, prior)

        def at(strings: IntArray) -> FloatArray:
            found = drawn.similarity.at(strings)
            return found if prior is None else found - prior.similarity.at(strings)

        return Pull(value, of_samples, at, drawn)

    def _kale(self, samples: IntArray) -> tuple[float, FloatArray]:
        """KALE of the frequencies of samples, and half its derivatives, shape ``(2^N,)``."""
        assert self.regularisation is not None
        shares = np.bincount(samples, minlength=1 << self.n_qubits) / len(samples)
        value, derivatives = kale(shares, self.bandwidth, self.regularisation)
        return value, derivatives / 2.0

    def kernel_mean(self, strings: IntArray, weights: FloatArray) -> KernelMean:
        """The function Σ_j weights[j] · k(σ, strings[j]) for this objective's kernel."""
        return KernelMean(strings, weights, self.n_qubits, self.bandwidth)

    def prior_mean(self, prior: IntArray | None) -> Drawn | None:
        """The strings of the prior, if this objective compares with such strings, and else None."""
        return None if prior is None else self.drawn(prior)

    def regulariser(self, drawn: Drawn, prior: Drawn | None) -> tuple[float, FloatArray]:
        """MMD² without bias, and how much each sample moves it (half its derivative), ``(S,)``."""
        if prior is None:
            return float(drawn.to_others.mean()) - self.prior_similarity, drawn.to_others
        across = prior.similarity.at(drawn.samples)
        value = drawn.to_others.mean() - 2.0 * across.mean() + prior.to_others.mean()
        return float(value), drawn.to_others - across
