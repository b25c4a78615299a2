"""The landscapes of several objectives on one plane, on one scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qhn.core.landscape.planes import Landscape
from qhn.reports.figures.style import MAP, Drawn, canvas, finish


def draw_planes(name: str, labels: Sequence[str], found: Landscape, where: str) -> Drawn:
    """One panel for each objective, with contours and one scale of colours.

    The regularisers add different constants, so that each objective is shown above its own lowest
    value on the plane. All are in nats per datum, so that one scale shows how steep they are.

    Args:
        name: what was trained, for the name of the file.
        labels: the objectives.
        found: their values.
        where: what the centre of the plane is, for the caption.
    """
    above = [values - values.min() for values in found.values]
    top = max(float(values.max()) for values in above) or 1.0
    levels = np.linspace(0.0, top, 25)
    with canvas(2.6 * len(labels) + 0.8, 2.9, 1, len(labels), sharey=True) as (figure, axes):
        shown = None
        for ax, label, values in zip(axes[0], labels, above, strict=True):
            # The first index of the values is s, which goes to the right.
            shown = ax.contourf(found.steps, found.steps, values.T, levels=levels, cmap=MAP)
            ax.contour(
                found.steps,
                found.steps,
                values.T,
                levels=levels[::2],
                colors="black",
                linewidths=0.3,
            )
            ax.plot([0], [0], marker="+", color="white", markersize=8)
            ax.set_title(label)
            ax.set_xlabel("s")
            ax.grid(visible=False)
            ax.set_aspect("equal")
        axes[0, 0].set_ylabel("t")
        assert shown is not None
        figure.colorbar(shown, ax=axes, label="nats above the lowest value", shrink=0.85)
        caption = (
            f"The objectives on one random plane through {where}, in nats per datum above the "
            "lowest value of each on this plane, with one scale of colours."
        )
        return finish(figure, f"landscape {name}", caption)
