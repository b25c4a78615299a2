"""How likely a test is to find an effect, and how many tasks that would take.

The method is the one of G*Power for the Wilcoxon signed-rank test: n differences in it are worth
n · 3/π differences in a paired t test, whose power follows from the noncentral t distribution. The
factor is the asymptotic relative efficiency of the two tests for normal differences.
"""

from __future__ import annotations

import math

from scipy import special

EFFICIENCY = 3 / math.pi
#: An effect that would take more tasks than this counts as none.
MOST_TASKS = 10**9


def fewest_tasks(alpha: float) -> int:
    """The smallest number of tasks with which a two-sided signed-rank test can reach ``p <= α``.

    The smallest p value for n tasks is 2 / 2^n.

    Example:
        >>> fewest_tasks(0.05)
        6
    """
    return math.ceil(math.log2(2 / alpha))


def power(d: float, tasks: int, alpha: float = 0.05) -> float:
    """The probability that the two-sided signed-rank test finds an effect.

    Args:
        d: the true effect size: the mean of the differences divided by their deviation.
        tasks: the number of independent differences.
        alpha: the level of the test.
    """
    if tasks < fewest_tasks(alpha):
        return 0.0
    if math.isinf(d):
        return 1.0
    worth = tasks * EFFICIENCY
    degrees = worth - 1
    critical = special.stdtrit(degrees, 1 - alpha / 2)
    centre = abs(d) * math.sqrt(worth)
    above = 1 - special.nctdtr(degrees, centre, critical)
    below = special.nctdtr(degrees, centre, -critical)
    return float(above + below)


def tasks_needed(d: float, wanted: float = 0.8, alpha: float = 0.05) -> int | None:
    """The smallest number of tasks with which an effect is found with the wanted power.

    Args:
        d: the effect size, as in `power`.
        wanted: the power.
        alpha: the level of the test.

    Returns:
        The number of tasks; None if there is no effect, or if it would take more than 10^9.
    """
    if math.isnan(d) or d == 0:
        return None
    low, high = fewest_tasks(alpha) - 1, fewest_tasks(alpha)
    while power(d, high, alpha) < wanted:
        if high >= MOST_TASKS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(d, middle, alpha) >= wanted else (middle, high)
    return high
