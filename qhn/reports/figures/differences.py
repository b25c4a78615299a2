"""The differences to the baseline with their intervals, which is what comparisons are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qhn.reports import words
from qhn.reports.comparison import Comparison
from qhn.reports.figures.style import Drawn, canvas, colour, finish


def draw_differences(dataset: str, comparisons: Sequence[Comparison]) -> Drawn | None:
    """Mean differences and 95% intervals, of means on the left and of deviations on the right.

    Args:
        dataset: the label of the data set.
        comparisons: its comparisons.

    Returns:
        The figure; None if there is nothing to compare.
    """
    names = list(
        dict.fromkeys(
            one.subject.group for one in comparisons if math.isfinite(one.difference.mean)
        )
    )
    if not names:
        return None
    quantities = list(dict.fromkeys(one.quantity for one in comparisons))
    height = 1.1 + 0.28 * len(names)
    with canvas(7.0, height, 1, len(quantities), sharey=True) as (figure, axes):
        for ax, quantity in zip(axes[0], quantities, strict=True):
            for one in comparisons:
                if one.quantity != quantity or one.subject.group not in names:
                    continue
                place, found = names.index(one.subject.group), one.difference
                sure = one.verdict != "no evidence"
                shade = colour(0) if sure else "#777777"
                if math.isfinite(found.low):
                    ax.plot([found.low, found.high], [place, place], color=shade, linewidth=1.6)
                ax.plot(
                    [found.mean],
                    [place],
                    marker="o",
                    color=shade,
                    markerfacecolor=shade if sure else "white",
                    markersize=5,
                )
            ax.axvline(0.0, color="black", linewidth=0.8)
            ax.set_title("of means" if quantity == "mean" else "of deviations over seeds")
            ax.grid(visible=False, axis="y")
            ax.set_yticks(range(len(names)), names)
            ax.set_ylim(len(names) - 0.5, -0.5)
        metric = comparisons[0].subject.metric
        figure.supxlabel(f"difference to the baseline, {words.title(metric)}", fontsize=9)
        caption = (
            f"Differences to the baseline on {dataset} with their 95% intervals. A filled blue "
            "point stands for evidence after Holm's correction, an open grey one for no evidence."
        )
        return finish(figure, f"{dataset} differences", caption)
