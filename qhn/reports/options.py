"""What may be chosen about a report, and the check that it makes sense."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from qhn.core.errors import InvalidValueError
from qhn.core.metrics import BY_NAME, HEADLINE, VALIDATION
from qhn.reports.comparison import DEFAULT_ALPHA, DEFAULT_TIE
from qhn.sweeps.results.ranking import check_metric

_RANGE = re.compile(r"(\d+):(\d+)")


@dataclass(frozen=True)
class ReportOptions:
    """The choices of a report.

    Attributes:
        metric: the metric by which groups are compared.
        baseline: the label of the group with which all others of its data set are compared,
            without the name of the data set; None for the group of mle that has all other settings
            in common.
        choose_on: the data seeds on which settings are chosen, such as ``0:10`` for 0 to 9; None
            if nothing is chosen.
        judge_on: the data seeds on which the chosen settings are judged.
        choose_by: a metric of training points that were held out, by which settings are chosen
            instead; None to choose by ``metric``.
        kale: α of a further column, KALE with h = N/4; None for no such column. It takes some
            milliseconds for each trial.
        tie: differences of a smaller size count as ties, in the unit of the metric.
        alpha: the level of the tests.

    Raises:
        InvalidValueError: if there is no such metric, if no direction of it is better, or if only
            one of ``choose_on`` and ``judge_on`` is given, or a range is none. All mistakes are
            named.
    """

    metric: str = HEADLINE
    baseline: str | None = None
    choose_on: str | None = None
    judge_on: str | None = None
    kale: float | None = None
    choose_by: str | None = None
    tie: float = DEFAULT_TIE
    alpha: float = DEFAULT_ALPHA

    def __post_init__(self) -> None:
        mistakes = []
        try:
            check_metric(self.metric)
            if BY_NAME[self.metric].better == "neither":
                mistakes.append(
                    "groups must be compared by a metric that has a better direction, but "
                    f"{self.metric} has none; take an accuracy or nll"
                )
        except InvalidValueError as error:
            mistakes.append(str(error))
        if self.choose_by is not None and self.choose_by not in VALIDATION:
            mistakes.append(
                f"choose-by must be one of {', '.join(VALIDATION)}, but got {self.choose_by!r}"
            )
        if self.kale is not None and not (math.isfinite(self.kale) and self.kale > 0):
            mistakes.append(f"kale must be a regularisation above 0, but got {self.kale}")
        if (self.choose_on is None) != (self.judge_on is None):
            given, other = ("choose-on", "judge-on")
            if self.choose_on is None:
                given, other = other, given
            mistakes.append(
                f"a setting is chosen on some tasks and judged on others, but only {given} was "
                f"given; give {other} too, as in --choose-on 0:10 --judge-on 10:20"
            )
        for name, text in (("choose-on", self.choose_on), ("judge-on", self.judge_on)):
            if text is not None:
                try:
                    data_seeds(name, text)
                except InvalidValueError as error:
                    mistakes.append(str(error))
        if mistakes:
            raise InvalidValueError("; ".join(mistakes))


#: A report without any choice.
DEFAULT = ReportOptions()


def data_seeds(name: str, text: str) -> range:
    """The data seeds of a range such as ``0:10``, which are 0 to 9.

    Raises:
        InvalidValueError: if the text is no such range, or the range is empty.
    """
    found = _RANGE.fullmatch(text)
    seeds = range(int(found[1]), int(found[2])) if found else range(0)
    if not seeds:
        raise InvalidValueError(
            f"{name} must be a range of data seeds FIRST:END with FIRST < END, such as 0:10 for 0 "
            f"to 9, but got {text!r}"
        )
    return seeds
