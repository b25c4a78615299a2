"""A comparison in words, as a careful author would write it."""

from __future__ import annotations

import math

from qhn.core.metrics import BY_NAME
from qhn.reports.comparison import Comparison
from qhn.reports.power import fewest_tasks


def sentence(comparison: Comparison) -> str:
    """What the comparison says and what it does not say, in one paragraph.

    Example:
        ``On moons, the test expected accuracy of elbo lambda=0.1 is higher than that of mle: by
        0.024 (95% interval 0.012 to 0.036), higher on 17 of 20 tasks, lower on 3; Wilcoxon
        signed-rank test, p = 0.0004, after Holm's correction 0.002.``
    """
    parts = [_claim(comparison), *_doubts(comparison)]
    return " ".join(parts)


def _claim(comparison: Comparison) -> str:
    subject = comparison.subject
    metric = BY_NAME.get(subject.metric)
    what = subject.metric if metric is None else metric.title
    if comparison.quantity == "deviation":
        what = f"deviation over seeds of the {what}"
    if comparison.verdict == "no evidence":
        start = (
            f"On {subject.dataset}, there is no evidence that the {what} differs between "
            f"{subject.group} and {subject.baseline}"
        )
    else:
        start = (
            f"On {subject.dataset}, the {what} of {subject.group} is {comparison.verdict} than "
            f"that of {subject.baseline}"
        )
    if not math.isfinite(comparison.difference.mean):
        return f"{start}: some of the values are not finite, so that no test can be made."
    if math.isnan(comparison.p):
        return f"{start}: the difference is {comparison.difference.mean:+.3g}, without a test."
    return f"{start}: {_numbers(comparison)}."


def _numbers(comparison: Comparison) -> str:
    n = comparison.higher + comparison.lower + comparison.ties
    units = comparison.unit if n == 1 else f"{comparison.unit}s"
    if comparison.ties == n:
        which = "the difference is" if n == 1 else f"all {n} differences are"
        return f"{which} below {comparison.tie:g} in size and counted as ties"
    difference = comparison.difference
    size = f"the mean difference is {difference.mean:+.3g}"
    if not math.isnan(difference.low):
        size += f" (95% interval {difference.low:+.3g} to {difference.high:+.3g})"
    counts = f"higher on {comparison.higher} of {n} {units}, lower on {comparison.lower}"
    if comparison.ties:
        counts += f", {comparison.ties} counted as ties"
    return (
        f"{size}, {counts}; Wilcoxon signed-rank test, {_p('p', comparison.p)}, "
        f"{_p('after correction by Holm p', comparison.p_holm)}"
    )


def _p(name: str, value: float) -> str:
    return f"{name} < 0.0001" if value < 1e-4 else f"{name} = {value:.2g}"


def _doubts(comparison: Comparison) -> list[str]:
    found = []
    if comparison.unit == "seed":
        found.append(
            f"This speaks of one task only ({comparison.tasks[0]}): nothing is claimed about "
            "other tasks."
        )
    elif comparison.verdict == "no evidence":
        found += _more_tasks(comparison)
    if comparison.p_holm <= comparison.alpha and comparison.verdict == "no evidence":
        found.append("The mean of the differences and their ranks point in different directions.")
    if comparison.chosen_here:
        found.append(
            f"{comparison.subject.group} was chosen by its results on the same data, so that this "
            "comparison flatters it."
        )
    return found


def _more_tasks(comparison: Comparison) -> list[str]:
    fewest = fewest_tasks(comparison.alpha / comparison.tests)
    tasks, tests = len(comparison.tasks), comparison.tests
    among = "" if tests == 1 else f" with {tests} tests to correct for"
    found = []
    if tasks < fewest:
        found.append(
            f"Fewer than {fewest} tasks cannot give evidence{among}, whatever their results."
        )
    if comparison.tasks_needed is not None:
        found.append(
            f"If the true effect has the measured size (d = {comparison.effect.d:.2g}), about "
            f"{comparison.tasks_needed:,} tasks with as many seeds show it with probability "
            f"0.8{among}."
        )
    return found
