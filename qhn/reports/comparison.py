"""What a comparison of a group with a baseline has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qhn.reports.effect import EffectSize
from qhn.reports.power import tasks_needed
from qhn.sweeps.results.statistics import MeanInterval

Quantity = Literal["mean", "deviation"]
Unit = Literal["task", "seed"]
Verdict = Literal["higher", "lower", "no evidence"]

#: Differences in accuracy below this size count as ties.
DEFAULT_TIE = 1e-4
DEFAULT_ALPHA = 0.05


@dataclass(frozen=True)
class Subject:
    """What is compared with what.

    Attributes:
        dataset: the name of the data set.
        metric: the name of the metric.
        group: the label of the group that is judged.
        baseline: the label of the group with which it is compared.
    """

    dataset: str
    metric: str
    group: str
    baseline: str


@dataclass(frozen=True)
class Comparison:
    """A group compared with a baseline, over tasks that both have, with the same seeds.

    Attributes:
        subject: what is compared with what.
        quantity: ``"mean"`` for the means over the seeds of each task, ``"deviation"`` for their
            sample standard deviations.
        unit: what one difference stands for. With several tasks it is the task. With one task it is
            the seed, and nothing is claimed about other tasks.
        tasks: the names of the tasks.
        seeds: how many seeds both groups have on each task.
        difference: the mean of the differences, group minus baseline, with its interval.
        effect: the same in units of the deviation of the differences.
        higher: in how many differences the group is higher.
        lower: in how many it is lower.
        ties: how many differences are below ``tie``.
        direction: 1 if the signed ranks speak for higher values, −1 for lower ones, else 0.
        p: the two-sided p value of the Wilcoxon signed-rank test. It is NaN where no test can be
            made: if a value is not finite, or for the deviation with one task.
        p_holm: the same after Holm's correction over the table to which the comparison belongs.
        tie: the size below which differences count as ties.
        alpha: the level at which ``p_holm`` is evidence.
        tests: how many tests are corrected together, so that one alone needs a smaller p value.
        chosen_here: whether the group was chosen by its values on the tasks on which it is judged,
            so that the comparison flatters it.
    """

    subject: Subject
    quantity: Quantity
    unit: Unit
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    difference: MeanInterval
    effect: EffectSize
    higher: int
    lower: int
    ties: int
    direction: Literal[-1, 0, 1]
    p: float
    p_holm: float
    tie: float
    alpha: float
    tests: int = 1
    chosen_here: bool = False

    @property
    def tasks_needed(self) -> int | None:
        """How many tasks would show an effect of the measured size with a power of at least 0.8.

        Each test has to pass the level α / ``tests``, which is enough for Holm's correction
        whatever the other tests give. It is None if the unit is the seed or no effect was measured;
        see `qhn.reports.power`.
        """
        # Searched only for those that are shown, because it takes milliseconds for small effects.
        level = self.alpha / self.tests
        return tasks_needed(self.effect.d, alpha=level) if self.unit == "task" else None

    @property
    def verdict(self) -> Verdict:
        """Whether the group is higher or lower than the baseline, or there is no evidence.

        There is evidence if ``p_holm <= alpha``, and if ranks and mean point in one direction: a
        few large differences can give the mean another sign than most differences have.
        """
        # A p value that is NaN is no evidence.
        if not self.p_holm <= self.alpha:
            return "no evidence"
        if self.direction > 0 and self.difference.mean > 0:
            return "higher"
        if self.direction < 0 and self.difference.mean < 0:
            return "lower"
        return "no evidence"
