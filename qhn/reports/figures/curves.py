"""Learning curves: metrics along training, with bands over the trials of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qhn.core.arrays import FloatArray
from qhn.reports import words
from qhn.reports.figures.style import Drawn, canvas, colour, finish, line


@dataclass(frozen=True)
class GroupCurve:
    """The reports of the trials of one group.

    Attributes:
        label: the name of the group.
        steps: the steps at which all of its trials have reported, shape ``(reports,)``.
        values: by metric, the values of each trial, shape ``(trials, reports)``.
    """

    label: str
    steps: NDArray[np.int64]
    values: Mapping[str, FloatArray]


def draw_curves(
    name: str, curves: Sequence[GroupCurve], metrics: Sequence[str], note: str = ""
) -> Drawn | None:
    """One panel for each metric that any trial has, one line for each group.

    A line is the mean over the trials of a group, and its band one standard deviation to both
    sides.

    Args:
        name: what the trials have in common, for the name of the file and the caption.
        curves: the groups.
        metrics: the metrics, one panel each.
        note: a further sentence for the caption.

    Returns:
        The figure; None if no trial has reported more than once.
    """
    curves = [curve for curve in curves if len(curve.steps) > 1]
    found = [
        metric
        for metric in metrics
        if any(
            np.isfinite(curve.values[metric]).any() for curve in curves if metric in curve.values
        )
    ]
    if not found:
        return None
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    with canvas(7.4, 0.7 + 2.0 * rows, rows, columns) as (figure, axes):
        for ax, metric in zip(axes.flat, found, strict=False):
            for place, curve in enumerate(curves):
                values = curve.values.get(metric)
                if values is None or not np.isfinite(values).any():
                    continue
                mean, spread = values.mean(axis=0), values.std(axis=0)
                shade = colour(place)
                ax.plot(curve.steps, mean, color=shade, linestyle=line(place), label=curve.label)
                ax.fill_between(
                    curve.steps, mean - spread, mean + spread, color=shade, alpha=0.12, linewidth=0
                )
            ax.set_title(words.heading(metric))
            ax.set_xlabel("step")
        for ax in axes.flat[len(found) :]:
            ax.set_axis_off()
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        caption = (
            f"Along training, {name}: means over trials, with bands of one standard deviation. "
            f"{note}"
        )
        return finish(figure, f"{name} curves", caption.strip())
