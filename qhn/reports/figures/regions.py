"""Decision regions of the posterior average on data with two coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qhn.core.arrays import FloatArray
from qhn.core.data.datasets import Dataset
from qhn.core.evaluation.predictive import predictive_probability
from qhn.core.networks import BinaryNetwork
from qhn.reports.figures.style import Drawn, canvas, finish

_GRID = 60
_MOST = 12


def draw_regions(
    name: str,
    data: Dataset,
    network: BinaryNetwork,
    posteriors: Sequence[tuple[str, FloatArray]],
    which: str,
) -> Drawn | None:
    """P(y = 1 | x), averaged over the posterior, on the plane, with the training points.

    Args:
        name: the label of the data set.
        data: the task of the trials, with points of two coordinates.
        network: the networks of the trials.
        posteriors: the label of each group, and the distribution of one of its trials.
        which: which trials these are, for the caption.

    Returns:
        The figure; None if there are no posteriors, or if points have not two coordinates.
    """
    if not posteriors or data.x_train.shape[1] != 2:
        return None
    low, high = data.x_train.min(axis=0) - 0.5, data.x_train.max(axis=0) + 0.5
    across, up = np.linspace(low[0], high[0], _GRID), np.linspace(low[1], high[1], _GRID)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    shown = posteriors[:_MOST]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    with canvas(
        1.75 * columns + 0.9, 1.9 * rows + 0.3, rows, columns, sharex=True, sharey=True
    ) as (figure, axes):
        image = None
        for ax, (label, q) in zip(axes.flat, shown, strict=False):
            found = predictive_probability(network, q, grid).reshape(_GRID, _GRID)
            image = ax.pcolormesh(
                across, up, found, cmap="PuOr", vmin=0, vmax=1, shading="nearest", rasterized=True
            )
            if found.min() < 0.5 < found.max():
                ax.contour(across, up, found, levels=[0.5], colors="black", linewidths=0.8)
            for label_of, mark in ((0, "o"), (1, "^")):
                of = data.y_train == label_of
                ax.plot(
                    data.x_train[of, 0],
                    data.x_train[of, 1],
                    linestyle="none",
                    marker=mark,
                    markersize=3,
                    markerfacecolor="black" if label_of else "white",
                    markeredgecolor="white" if label_of else "black",
                    markeredgewidth=0.4,
                )
            ax.set_title(label, fontsize=7)
            ax.grid(visible=False)
        for ax in axes.flat[len(shown) :]:
            ax.set_axis_off()
        assert image is not None
        figure.colorbar(image, ax=axes, label="P(y = 1 | x)", shrink=0.8)
        more = "" if len(posteriors) <= _MOST else f" The first {_MOST} groups are shown."
        caption = (
            f"Posterior average on {name} ({which}), with the boundary where both labels are "
            f"equally probable, and the training points (white circles 0, black triangles 1).{more}"
        )
        return finish(figure, f"{name} regions", caption)
