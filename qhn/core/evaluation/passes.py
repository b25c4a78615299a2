"""Passes over a distribution q that measure it: probabilities of classes, averages and samples.

Entry points from Python. Sums run in the order that the source fixes.
"""

from __future__ import annotations

from typing import Any

from qhn.core.simd.compiled import SOURCES, entry


def _compile(sources: str) -> tuple[Any, Any, Any]:
    @entry
    def class_weights(q: Any, class_of: Any, weights: Any) -> None:
        """Probability of each class of equal networks; ``class_of`` is the class of each."""
        sources  # noqa: B018  (part of the cache key)
        weights[:] = 0.0
        for index in range(len(q)):
            weights[class_of[index]] += q[index]

    @entry
    def weighted_rows(weights: Any, rows: Any, cutoff: float, total: Any) -> None:
        """Σ_c weights[c] · rows[c] over the weights above the cutoff, row after row."""
        sources  # noqa: B018
        total[:] = 0.0
        for c in range(len(weights)):
            weight = weights[c]
            if weight > cutoff:
                for i in range(len(total)):
                    total[i] += weight * rows[c, i]

    @entry
    def draw(q: Any, uniform: Any, samples: Any) -> None:
        """Outcomes of ascending uniform numbers by the inverse of the cumulative distribution."""
        sources  # noqa: B018
        total = 0.0
        for index in range(len(q)):
            total += q[index]
        # Rounding may carry a number past the end; NaN probabilities do the same.
        samples[:] = len(q) - 1
        drawn = 0
        cumulative = 0.0
        for index in range(len(q)):
            cumulative += q[index]
            while drawn < len(uniform) and uniform[drawn] * total < cumulative:
                samples[drawn] = index
                drawn += 1
            if drawn == len(uniform):
                break

    return class_weights, weighted_rows, draw


class_weights, weighted_rows, draw = _compile(SOURCES)
