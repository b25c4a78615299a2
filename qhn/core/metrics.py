"""All metrics that a report may have: their names, titles and units.

More metrics can be added at any time. Each history and each result names the metrics that it has,
and a metric that it does not have reads as NaN. So older files stay readable. If a metric is an
estimate, its standard error is reported too, under the name that `standard_error` gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["up", "down", "neither"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: its name in histories, in results and in MLflow.
        title: its name in tables and figures.
        unit: ``"nats"``, or empty for a pure number.
        better: the direction of improvement, ``"neither"`` if there is none.
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
#: All metrics, in the order in which reports give them. Add new ones at the end: `ORIGINAL_NAMES`
#: counts from the beginning. A stored history keeps its own order.
METRICS: tuple[Metric, ...] = (
    Metric("objective", "objective", "nats", "down"),
    Metric("lambda", "λ", "", "neither"),
    Metric("nll", "expected negative log-likelihood", "nats", "down"),
    Metric("kl", "KL divergence to the prior", "nats", "neither"),
    Metric("mmd2", "MMD² to the prior", "", "neither"),
    Metric("entropy", "entropy", "nats", "neither"),
    Metric("gradient_norm", "norm of the gradient", "", "neither"),
    *ACCURACIES,
    # Only trials of the objective kale have it.
    Metric("kale", "KALE to the prior", "nats", "neither"),
    # Only trials that hold out a part of their training points have these.
    Metric("validation_nll", "validation negative log-likelihood", "nats", "down"),
    Metric("validation_accuracy_expected", "validation expected accuracy", "", "up"),
)
#: The metrics of training points that are held out.
VALIDATION = ("validation_nll", "validation_accuracy_expected")
#: The metric that is shown while a sweep runs: how good sampled networks are on unseen data.
HEADLINE = "test_accuracy_expected"
BY_NAME = {metric.name: metric for metric in METRICS}
#: The metrics of version f0fdd86. `results_digest` is taken over these only, so that it stays the
#: same when metrics are added.
ORIGINAL_NAMES = tuple(metric.name for metric in METRICS[:15])


def standard_error(name: str) -> str:
    """The name under which the standard error of a metric is reported."""
    return f"{name}_standard_error"
