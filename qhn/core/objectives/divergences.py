"""Compiled passes over a distribution q: the terms of an objective and its derivatives by q.

Python calls them, for distributions of at least 64 outcomes. ``nll`` is a read-only array, as
tables in shared memory are, and ``weight`` is λ/n. `reference` has the same functions in NumPy.
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
        """The expectation value Σ q·table."""
        sources  # noqa: B018  (part of the cache key)
        # There are two sums because each addition to a sum has to wait for the one before. With two
        # of them, the processor can work on both at the same time.
        sum0 = sum1 = spread(0.0)
        for i in range(0, q.size, 16):
            sum0 = multiply_add(load(q, i), load(table, i), sum0)
            sum1 = multiply_add(load(q, i + 8), load(table, i + 8), sum1)
        return total(add(sum0, sum1))

    @entry
    def relative_entropy(q: Any, nll: Any, weight: float, out: Any) -> Any:
        """Return (Σ q·nll, KL(q‖u)), and fill ``out = nll + weight · (ln(q/u) + 1)``."""
        sources  # noqa: B018
        outcomes, scale, one = spread(float(q.size)), spread(weight), spread(1.0)
        # Values and derivatives are computed in one pass, so that q and nll are read from memory
        # once. u is 1/2^N, so q/u is q · 2^N.
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
        """Return (Σ q·nll, MMD²(q, r)), and fill ``out = nll + weight · 2K(q − r)``.

        r is the uniform distribution if ``prior`` is empty, and else the empirical distribution of
        the strings in ``prior``. In the second case the term of MMD² that compares these strings
        with each other leaves out the pairs of a string with itself, which makes it unbiased.
        """
        sources  # noqa: B018
        uniform = 0.0 if prior.size else 1.0 / q.size
        correction = 0.0
        if prior.size:
            # One product K(q − r) gives both MMD² = (q − r)ᵀ K (q − r) and its derivative. The loop
            # below sums qᵀ K (q − r) only, so −rᵀ K (q − r) is summed here, over the few strings.
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
        """Fill ``out = Kx``."""
        sources  # noqa: B018
        apply_gaussian(x, 0.0, c, out)

    return expectation, relative_entropy, discrepancy, kernel_product


expectation, relative_entropy, discrepancy, kernel_product = _compile(SOURCES)
