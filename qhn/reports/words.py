"""Numbers, headings and answers of a report in words, for its page and for its text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qhn.core.metrics import BY_NAME
from qhn.reports.choice import Choice
from qhn.reports.comparison import Comparison
from qhn.reports.tables import (
    KALE_REFERENCE,
    KL_TO_POSTERIOR,
    MMD2_REFERENCE,
    TABLE_METRICS,
    GroupRow,
)
from qhn.sweeps.results.statistics import MeanInterval

_SHORT = {
    "test_accuracy_expected": "expected",
    "test_accuracy_mode": "mode",
    "test_accuracy_average": "average",
    "test_accuracy_best_of_k": "best of k",
    "nll": "train nll",
    "entropy": "entropy",
    "kl": "KL",
    "mmd2": "MMD²",
    "kale": "KALE",
    MMD2_REFERENCE: "MMD², h = N/4",
    KALE_REFERENCE: "KALE, h = N/4",
    KL_TO_POSTERIOR: "KL to posterior",
}


def heading(metric: str) -> str:
    """The heading of a metric's column."""
    return _SHORT.get(metric, metric.replace("_", " "))


def title(metric: str) -> str:
    """The full name of a metric."""
    known = BY_NAME.get(metric)
    return metric.replace("_", " ") if known is None else known.title


def number(value: float, scale: float | None = None) -> str:
    """A number with as many digits as tell something, and a true minus sign.

    Args:
        value: the number.
        scale: the number whose size decides about the digits; None for the number itself.
    """
    if not math.isfinite(value):
        return "–"
    size = abs(value if scale is None else scale)
    if size == 0 or 0.01 <= size < 1000:
        text = f"{value:.3f}"
    else:
        text = f"{value:.4f}" if 1e-3 <= size < 1 else f"{value:.2e}"
    return text.replace("-", "−")


def spread(value: MeanInterval) -> str:
    """Mean, and deviation over seeds, such as ``0.912 ± 0.034``."""
    if math.isnan(value.deviation):
        return number(value.mean)
    return f"{number(value.mean)} ± {number(value.deviation, value.mean)}"


def interval(value: MeanInterval) -> str:
    """The 95% interval, such as ``0.890 to 0.934``; a dash if there is none."""
    if math.isnan(value.low):
        return "–"
    return f"{number(value.low, value.mean)} to {number(value.high, value.mean)}"


def p_value(p: float) -> str:
    """A p value, such as ``0.012`` or ``< 0.0001``."""
    if math.isnan(p):
        return "–"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def shown_metrics(rows: Sequence[GroupRow]) -> list[str]:
    """The metrics of which at least one group has values, in the order of the table."""
    return [name for name in TABLE_METRICS if any(name in row.metrics for row in rows)]


def seeds(row: GroupRow) -> str:
    """How many seeds a group has on each task: ``10``, or ``8 to 10``."""
    low, high = row.seeds
    return str(low) if low == high else f"{low} to {high}"


def flags(row: GroupRow) -> str:
    """The share of trials with each flag, such as ``barren-plateau 15%``."""
    return ", ".join(f"{name} {share:.0%}" for name, share in row.flags.items())


def judged(choice: Choice) -> str:
    """On which tasks a chosen setting is judged, and whether that flatters it."""
    n = len(choice.judged_on)
    tasks = f"{n} task" if n == 1 else f"{n} tasks"
    if choice.chosen_here:
        return f"{tasks}, on some of which it was chosen, which flatters it"
    if not choice.by_test:
        return f"{tasks}; it was chosen by training points that were held out"
    return f"{tasks} on which it was not chosen"


def answer(comparisons: Sequence[Comparison]) -> list[str]:
    """What all comparisons say together, in a few sentences.

    Means and deviations are counted apart, since one says whether a setting is better and the other
    whether it varies less.
    """
    found = []
    for quantity, what in (("mean", "the mean"), ("deviation", "the deviation over seeds")):
        tests = [one for one in comparisons if one.quantity == quantity]
        if not tests:
            continue
        counts = {
            verdict: sum(one.verdict == verdict for one in tests)
            for verdict in ("higher", "lower", "no evidence")
        }
        noun = "comparison" if len(tests) == 1 else "comparisons"
        found.append(
            f"Of {len(tests)} {noun} of {what} of the {title(tests[0].subject.metric)} with the "
            f"baseline, {counts['higher']} {_is(counts['higher'])} higher, {counts['lower']} "
            f"{_is(counts['lower'])} lower, and for {counts['no evidence']} there is no evidence "
            "of a difference."
        )
    return found


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
