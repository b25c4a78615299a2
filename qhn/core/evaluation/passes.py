"""Compiled passes that measure a distribution q: class probabilities, averages and samples.

Python calls them. The order of every sum is fixed by the source.
"""

from __future__ import annotations

from typing import Any

from qhn.core.simd.compiled import SOURCES, entry


def _compile(sources: str) -> tuple[Any, Any, Any]:
    @entry
    def class_weights(q: Any, class_of: Any, weights: Any) -> None:
        """Fill ``weights`` with the probability of each class; ``class_of[σ]`` is σ's class."""
        sources  # noqa: B018  (part of the cache key)
        weights[:] = 0.0
        for index in range(len(q)):
            weights[class_of[index]] += q[index]

    @entry
    def weighted_rows(weights: Any, rows: Any, cutoff: float, total: Any) -> None:
        """Fill ``total`` with Σ_c weights[c] · rows[c] over all weights above the cutoff."""
        sources  # noqa: B018
        total[:] = 0.0
        for c in range(len(weights)):
            weight = weights[c]
            if weight > cutoff:
                for i in range(len(total)):
                    total[i] += weight * rows[c, i]

    @entry
    def draw(q: Any, uniform: Any, samples: Any) -> None:
        """Draw ``samples`` from q by the inverse of its cumulative distribution.

        ``uniform`` holds numbers in [0, 1) in ascending order.
        """
        sources  # noqa: B018
        total = 0.0
        for index in range(len(q)):
            total += q[index]
        # If rounding puts a number past the end, or if probabilities are NaN, the last outcome is
        # the sample.
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
