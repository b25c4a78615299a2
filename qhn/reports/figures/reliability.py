"""Reliability curves: whether predicted probabilities are what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qhn.core.arrays import FloatArray
from qhn.core.evaluation.predictive import expected_calibration_error
from qhn.reports.figures.style import Drawn, canvas, colour, finish, line, marker


@dataclass(frozen=True)
class Predictions:
    """What the trials of a group predict at test points, one trial after the other.

    Attributes:
        label: the name of the group.
        probability: P(y = 1 | x), averaged over the posterior, shape ``(n,)``.
        labels: the true labels, shape ``(n,)``.
    """

    label: str
    probability: FloatArray
    labels: FloatArray


def draw_reliability(dataset: str, found: Sequence[Predictions], which: str) -> Drawn | None:
    """One line for each group: the frequency of label 1 over the predicted probability.

    Args:
        dataset: the label of the data set.
        found: the predictions of each group.
        which: which trials these are, for the caption.

    Returns:
        The figure; None if there are no predictions.
    """
    if not found:
        return None
    with canvas(5.6, 3.6 + 0.2 * (len(found) // 2)) as (figure, axes):
        ax = axes[0, 0]
        ax.plot([0, 1], [0, 1], color="#777777", linewidth=0.8)
        for place, one in enumerate(found):
            error, predicted, frequent, _ = expected_calibration_error(one.probability, one.labels)
            ax.plot(
                predicted,
                frequent,
                color=colour(place),
                linestyle=line(place),
                marker=marker(place),
                markersize=4,
                label=f"{one.label} (ECE {error:.3f})",
            )
        ax.set_xlabel("predicted P(y = 1 | x)")
        ax.set_ylabel("frequency of label 1")
        ax.set_aspect("equal")
        figure.legend(loc="outside lower center", ncols=2)
        caption = (
            f"Reliability of the posterior average on the test points of {dataset} ({which}), in "
            "ten bins; ECE is the expected calibration error (Guo et al. 2017). On the diagonal a "
            "prediction is as often right as it says."
        )
        return finish(figure, f"{dataset} reliability", caption)
