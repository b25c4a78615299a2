"""A metric over λ and h as a heat map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from qhn.reports import words
from qhn.reports.figures.style import MAP, Drawn, canvas, finish
from qhn.reports.grouping import Group
from qhn.sweeps.config import factory
from qhn.sweeps.config.schedules import ScheduleConfig


def _labels(groups: Sequence[Group]) -> dict[ScheduleConfig, str]:
    """A label for each λ. Where two have the same, all that they are set to is said."""
    found: dict[ScheduleConfig, str] = {}
    for group in groups:
        lambda_ = group.first.config.objective.lambda_
        if lambda_ is not None:
            found[lambda_] = factory.schedule(lambda_).label(lambda value: f"{value:.4g}")
    number = Counter(found.values())
    for lambda_, label in found.items():
        if number[label] > 1:
            settings = lambda_.model_dump(exclude={"schedule"}).items()
            found[lambda_] = f"{label} " + " ".join(f"{name}={value:g}" for name, value in settings)
    return found


def draw_heat(dataset: str, groups: Sequence[Group], metric: str) -> Drawn | None:
    """The mean over tasks of a metric, for each λ and h of groups that differ in nothing else.

    Args:
        dataset: the label of the data set.
        groups: groups of one objective that share all other settings.
        metric: the metric.

    Returns:
        The figure; None with fewer than two values of λ or of h.
    """
    cells: dict[tuple[str, float], float] = {}
    labels = _labels(groups)
    for group in groups:
        part = group.first.config.objective
        if part.lambda_ is None or not isinstance(part.bandwidth, float):
            continue
        label = labels[part.lambda_]
        means = [np.mean(list(values.values())) for values in group.scores(metric).values()]
        if means:
            cells[label, part.bandwidth] = float(np.mean(means))
    lambdas = list(dict.fromkeys(label for label, _ in cells))
    widths = sorted({h for _, h in cells})
    if len(lambdas) < 2 or len(widths) < 2:
        return None
    table = np.array([[cells.get((label, h), np.nan) for h in widths] for label in lambdas])
    # Long labels take room of their own beside the map.
    beside = 1.6 + 0.07 * max(map(len, lambdas))
    with canvas(beside + 0.9 * len(widths), 1.3 + 0.45 * len(lambdas)) as (figure, axes):
        ax = axes[0, 0]
        image = ax.imshow(table, cmap=MAP, aspect="auto")
        middle = (np.nanmin(table) + np.nanmax(table)) / 2
        for row, column in np.ndindex(table.shape):
            if np.isfinite(table[row, column]):
                dark = table[row, column] < middle
                ax.text(
                    column,
                    row,
                    words.number(float(table[row, column])),
                    ha="center",
                    va="center",
                    color="white" if dark else "black",
                )
        ax.set_xticks(range(len(widths)), [f"{h:.4g}" for h in widths])
        ax.set_yticks(range(len(lambdas)), lambdas)
        ax.set_xlabel("bandwidth h")
        ax.set_ylabel("λ")
        ax.grid(visible=False)
        figure.colorbar(image, ax=ax)
        caption = f"{words.title(metric).capitalize()} on {dataset} over λ and h, means over tasks."
        return finish(figure, f"{dataset} heat {metric}", caption)
