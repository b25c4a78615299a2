"""Passes over a distribution q: its terms and the derivatives of an objective by q.

Entry points from Python, for at least 64 outcomes. ``nll`` is read only, as shared tables are, and
``weight`` is λ/n.
"""

from __future__ import annotations

from typing import Any

from qhn.core.objectives.gaussian import apply_gaussian, off_diagonal
from qhn.core.simd.compiled import SOURCES, entry
from qhn.core.simd.logarithm import logarithm
from qhn.core.simd.vectors import add, load, multiply, multiply_add, spread, store, subtract, total


def _compile(sources: str) -> tuple[Any, Any, Any, Any]:
    @entry
    def expectation(q: Any, table: Any) -> Any:
        """Σ q·table."""
        sources  # noqa: B018  (part of the cache key)
        # Two sums, because one alone would wait for each addition to finish before the next.
        sum0 = sum1 = spread(0.0)
        for i in range(0, q.size, 16):
            sum0 = multiply_add(load(q, i), load(table, i), sum0)
            sum1 = multiply_add(load(q, i + 8), load(table, i + 8), sum1)
        return total(add(sum0, sum1))

    @entry
    def relative_entropy(q: Any, nll: Any, weight: float, out: Any) -> Any:
        """(Σ q·nll, KL(q‖u)), and ``out = nll + weight · (ln(q/u) + 1)``."""
        sources  # noqa: B018
        outcomes, scale, one = spread(float(q.size)), spread(weight), spread(1.0)
        # Value and derivative in one pass: q and nll come from memory once.
        losses = divergence = spread(0.0)
        for i in range(0, q.size, 8):
            p, loss = load(q, i), load(nll, i)
            ratio = logarithm(multiply(p, outcomes))
            losses = multiply_add(p, loss, losses)
            divergence = multiply_add(p, ratio, divergence)
            store(out, i, multiply_add(scale, add(ratio, one), loss))
        return total(losses), total(divergence)

    @entry
    def discrepancy(q: Any, nll: Any, prior: Any, weight: float, c: float, out: Any) -> Any:
        """(Σ q·nll, MMD²(q, r)), and ``out = nll + weight · 2K(q − r)``.

        r is the uniform distribution if ``prior`` is empty, else that of the strings in it, whose
        own term of MMD² then leaves out the pairs of a string with itself.
        """
        sources  # noqa: B018
        uniform = 0.0 if prior.size else 1.0 / q.size
        correction = 0.0
        if prior.size:
            # K is linear: one product K(q − r) gives both MMD² and its derivative. The sum below is
            # over q alone, so what r adds to (q − r)ᵀ K (q − r) is taken off string by string.
            out[:] = q
            for string in prior:
                out[string] -= 1.0 / prior.size
            apply_gaussian(out, 0.0, c, out)
            for string in prior:
                correction -= out[string] / prior.size
            correction += off_diagonal(prior, c)
        else:
            apply_gaussian(q, uniform, c, out)
        offset, scale = spread(uniform), spread(2.0 * weight)
        losses = squared = spread(0.0)
        for i in range(0, q.size, 8):
            p, loss, mixed = load(q, i), load(nll, i), load(out, i)
            losses = multiply_add(p, loss, losses)
            squared = multiply_add(subtract(p, offset), mixed, squared)
            store(out, i, multiply_add(scale, mixed, loss))
        return total(losses), total(squared) + correction

    @entry
    def kernel_product(x: Any, c: float, out: Any) -> None:
        """``out = Kx``."""
        sources  # noqa: B018
        apply_gaussian(x, 0.0, c, out)

    return expectation, relative_entropy, discrepancy, kernel_product


expectation, relative_entropy, discrepancy, kernel_product = _compile(SOURCES)
