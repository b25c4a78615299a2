"""The posterior marginals of single weights, as rows of a heat map or as images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.reports.figures.style import Drawn, canvas, finish

# From −1 over white to +1, in colours that differ in lightness on neither side alone.
_SIGNED = "PuOr"


def mean_weights(q: FloatArray) -> FloatArray:
    """E[w_i] = 2 q(σ_i = 1) − 1 of each weight under a distribution of shape ``(2^N,)``.

    Returns:
        Shape ``(N,)``, qubit 0 first.
    """
    n_qubits = len(q).bit_length() - 1
    tensor = q.reshape((2,) * n_qubits)
    axes = range(n_qubits)
    ones = [tensor.sum(axis=tuple(a for a in axes if a != i))[1] for i in axes]
    return 2.0 * np.array(ones) - 1.0


def draw_marginals(
    dataset: str, posteriors: Sequence[tuple[str, FloatArray]], which: str
) -> Drawn | None:
    """The mean of each weight under the posterior of one trial of each group.

    Args:
        dataset: the label of the data set.
        posteriors: the label of each group, and the distribution of one of its trials.
        which: which trials these are, for the caption.

    Returns:
        The figure; None if there are no posteriors, or if they are of different sizes.
    """
    if not posteriors or len({len(q) for _, q in posteriors}) != 1:
        return None
    table = np.array([mean_weights(q) for _, q in posteriors])
    n = table.shape[1]
    with canvas(7.0, 1.2 + 0.26 * len(table)) as (figure, axes):
        ax = axes[0, 0]
        image = ax.imshow(table, cmap=_SIGNED, vmin=-1, vmax=1, aspect="auto")
        ax.set_yticks(range(len(table)), [label for label, _ in posteriors])
        ax.set_xticks(range(n), [str(i) for i in range(n)])
        ax.set_xlabel("weight (qubit)")
        ax.grid(visible=False)
        figure.colorbar(image, ax=ax, label="mean weight")
        caption = (
            f"The mean of each binary weight under the posterior on {dataset} ({which}): +1 and −1 "
            "are certain, 0 is undecided. Networks whose hidden units are swapped are the same "
            "function, so that single weights may differ where functions do not."
        )
        return finish(figure, f"{dataset} marginals", caption)


def draw_images(
    dataset: str, posteriors: Sequence[tuple[str, FloatArray]], which: str
) -> Drawn | None:
    """The mean weights of logistic regression on images, as images.

    Args:
        dataset: the label of the data set.
        posteriors: the label of each group, and the distribution of one of its trials. The last
            qubit is the bias, and the others are the pixels, row by row.
        which: which trials these are, for the caption.

    Returns:
        The figure; None if there are no posteriors, or the pixels are no square.
    """
    if not posteriors:
        return None
    n_pixels = len(posteriors[0][1]).bit_length() - 2
    side = math.isqrt(n_pixels)
    if side * side != n_pixels:
        return None
    shown = posteriors[:12]
    columns = min(6, len(shown))
    rows = -(-len(shown) // columns)
    with canvas(1.25 * columns + 0.8, 1.5 * rows + 0.3, rows, columns) as (figure, axes):
        image = None
        for ax, (label, q) in zip(axes.flat, shown, strict=False):
            pixels = mean_weights(q)[:n_pixels].reshape(side, side)
            image = ax.imshow(pixels, cmap=_SIGNED, vmin=-1, vmax=1)
            ax.set_title(label, fontsize=7)
        for ax in axes.flat:
            ax.set_axis_off()
        assert image is not None
        figure.colorbar(image, ax=axes, label="mean weight", shrink=0.8)
        caption = f"The mean weight of each pixel under the posterior on {dataset} ({which})."
        return finish(figure, f"{dataset} images", caption)
