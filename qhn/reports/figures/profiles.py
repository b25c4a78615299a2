"""Performance profiles of groups over all data sets."""

from __future__ import annotations

from qhn.core.metrics import BY_NAME
from qhn.reports import words
from qhn.reports.figures.style import Drawn, canvas, colour, finish, line
from qhn.reports.report import AcrossDatasets


def draw_profiles(across: AcrossDatasets, metric: str) -> Drawn:
    """The share of runs that are better than each value of the metric, with 95% bands.

    Args:
        across: the comparison over data sets.
        metric: the metric of its scores.
    """
    sign = 1.0 if BY_NAME[metric].better == "up" else -1.0
    with canvas(7.0, 3.4 + 0.2 * (len(across.labels) // 3)) as (figure, axes):
        ax = axes[0, 0]
        for place, (label, profile) in enumerate(zip(across.labels, across.profiles, strict=True)):
            at, shade = sign * profile.thresholds, colour(place)
            ax.plot(at, profile.share, color=shade, linestyle=line(place), label=label)
            ax.fill_between(at, profile.low, profile.high, color=shade, alpha=0.12, linewidth=0)
        ax.set_xlabel(words.title(metric))
        ax.set_ylabel("share of runs that are better")
        figure.legend(loc="outside lower center", ncols=3)
        caption = (
            "Performance profiles over all data sets (Agarwal et al. 2021): the share of runs with "
            "a better value than that on the axis, with bands by the stratified bootstrap. A group "
            "whose line is nowhere below that of another one is better by every mean and quantile."
        )
        return finish(figure, "profiles", caption)
