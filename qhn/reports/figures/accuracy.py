"""The accuracy of every trial, by group: points for trials, and boxes for their quartiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qhn.reports import words
from qhn.reports.figures.style import Drawn, canvas, colour, finish, marker
from qhn.reports.grouping import Group


def draw_accuracy(dataset: str, groups: Sequence[Group], metric: str) -> Drawn | None:
    """One row for each group: a point for each trial, and a box from quartile to quartile.

    Args:
        dataset: the label of the data set.
        groups: its groups.
        metric: the metric to show.

    Returns:
        The figure; None if no trial has the metric.
    """
    values = [
        (group, [x for by_seed in group.scores(metric).values() for x in by_seed.values()])
        for group in groups
    ]
    values = [(group, found) for group, found in values if np.isfinite(found).any()]
    if not values:
        return None
    objectives = list(dict.fromkeys(group.objective for group, _ in values))
    with canvas(7.0, 1.0 + 0.28 * len(values)) as (figure, axes):
        ax = axes[0, 0]
        for place, (group, found) in enumerate(values):
            kind = objectives.index(group.objective)
            # The spread across a row only keeps points apart. It is fixed, and means nothing.
            apart = place + 0.3 * (np.arange(len(found)) * 0.618 % 1.0 - 0.5)
            ax.plot(
                found,
                apart,
                linestyle="none",
                marker=marker(kind),
                markersize=2.5,
                color=colour(kind),
                alpha=0.45,
                markeredgewidth=0,
            )
        ax.boxplot(
            [found for _, found in values],
            positions=range(len(values)),
            orientation="horizontal",
            widths=0.6,
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": "black", "linewidth": 1.4},
            boxprops={"linewidth": 0.8},
        )
        ax.set_yticks(range(len(values)), [group.label for group, _ in values])
        ax.set_ylim(len(values) - 0.5, -0.5)
        ax.set_xlabel(words.title(metric))
        ax.grid(visible=False, axis="y")
        caption = (
            f"{words.title(metric).capitalize()} on {dataset}: each point is a trial, each box "
            "goes from quartile to quartile with the median, and whiskers reach at most 1.5 times "
            "as far. Trials on several tasks are shown together."
        )
        return finish(figure, f"{dataset} {metric}", caption)
