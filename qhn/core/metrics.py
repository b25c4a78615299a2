"""Every metric that a report may hold, declared once: its name, what people call it, its unit.

The set is open. A history or a result names the metrics that it holds; a metric that it does not
hold is absent, and reads as NaN. So a metric can be added without making older files unreadable.
Where a number is estimated, its standard error is reported beside it, as `standard_error` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["up", "down", "neither"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: in histories, results and MLflow.
        title: for tables and figures.
        unit: ``"nats"``, or empty for a pure number.
        better: the direction of improvement, ``"neither"`` where there is none.
    """

    name: str
    title: str
    unit: str
    better: Better


def _accuracies() -> tuple[Metric, ...]:
    readings = {
        "expected": "expected accuracy",
        "mode": "accuracy of the most probable network",
        "average": "accuracy of the posterior average",
        "best_of_k": "accuracy of the best of k samples",
    }
    return tuple(
        Metric(f"{part}_accuracy_{reading}", f"{part} {title}", "", "up")
        for reading, title in readings.items()
        for part in ("train", "test")
    )


ACCURACIES = _accuracies()
#: In the order in which reports give them. Append; the order of a stored history is its own.
METRICS: tuple[Metric, ...] = (
    Metric("objective", "objective", "nats", "down"),
    Metric("lambda", "λ", "", "neither"),
    Metric("nll", "expected negative log-likelihood", "nats", "down"),
    Metric("kl", "KL divergence to the prior", "nats", "neither"),
    Metric("mmd2", "MMD² to the prior", "", "neither"),
    Metric("entropy", "entropy", "nats", "neither"),
    Metric("gradient_norm", "norm of the gradient", "", "neither"),
    *ACCURACIES,
)
#: What a sweep is followed by while it runs: how good sampled networks are on unseen data.
HEADLINE = "test_accuracy_expected"
BY_NAME = {metric.name: metric for metric in METRICS}
#: The metrics of version f0fdd86. `results_digest` is over these alone, whatever is added.
ORIGINAL_NAMES = tuple(metric.name for metric in METRICS[:15])


def standard_error(name: str) -> str:
    """The name under which the standard error of a metric is reported."""
    return f"{name}_standard_error"
