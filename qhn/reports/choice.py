"""Choosing a setting on some tasks and judging it on others."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from qhn.core.errors import InvalidValueError
from qhn.core.metrics import Better
from qhn.reports.pairs import Scores
from qhn.sweeps.results.statistics import mean_interval


@dataclass(frozen=True)
class Choice:
    """The setting that was best on some tasks, and on which tasks it is judged.

    Attributes:
        label: the setting.
        score: the mean of its task means over the tasks on which it was chosen.
        chosen_on: these tasks.
        judged_on: the tasks on which it is judged.
        left_out: the settings that could not be chosen, because they lack one of the tasks or have
            values there that are not finite.
        scores: the values of the setting on the tasks on which it is judged.
        by_test: whether it was chosen by test data, and not by training points that were held out.
    """

    label: str
    score: float
    chosen_on: tuple[str, ...]
    judged_on: tuple[str, ...]
    left_out: tuple[str, ...]
    scores: Scores
    by_test: bool = True

    @property
    def chosen_here(self) -> bool:
        """Whether a task on which the setting was chosen is among those on which it is judged.

        Such a result flatters the setting, and is marked as such.
        """
        return self.by_test and not set(self.chosen_on).isdisjoint(self.judged_on)


def choose(
    settings: Mapping[str, Scores],
    choose_on: Collection[str],
    judge_on: Collection[str],
    better: Better = "up",
) -> Choice:
    """The setting with the best mean over tasks, of settings that have all of these tasks.

    Each task counts the same, however many seeds it has. If several settings are equally good, the
    first of them is chosen.

    Args:
        settings: the values of each setting.
        choose_on: the names of the tasks on which settings are compared.
        judge_on: the names of the tasks on which the chosen setting is judged.
        better: ``"up"`` if higher values are better, ``"down"`` if lower ones are.

    Raises:
        InvalidValueError: if no task is given for one of the two, if the metric has no better
            direction, or if no setting can be chosen or judged.
    """
    _check(choose_on, judge_on, better)
    scores = {label: _score(values, choose_on) for label, values in settings.items()}
    possible = {label: score for label, score in scores.items() if math.isfinite(score)}
    if not possible:
        raise InvalidValueError(
            "a setting must have finite values on all tasks on which it is chosen, but none of "
            f"{len(settings)} has them on {_names(choose_on)}; choose on fewer tasks"
        )
    sign = 1.0 if better == "up" else -1.0
    label = max(possible, key=lambda name: sign * possible[name])
    judged = {task: settings[label][task] for task in judge_on if settings[label].get(task)}
    if not judged:
        raise InvalidValueError(
            f"the chosen setting must have values to judge, but {label} has none on "
            f"{_names(judge_on)}; judge on tasks of the sweep"
        )
    return Choice(
        label=label,
        score=possible[label],
        chosen_on=tuple(choose_on),
        judged_on=tuple(judged),
        left_out=tuple(name for name in settings if name not in possible),
        scores=judged,
    )


def _check(choose_on: Collection[str], judge_on: Collection[str], better: Better) -> None:
    mistakes = []
    if not choose_on:
        mistakes.append("choose_on must name at least one task, but got none")
    if not judge_on:
        mistakes.append("judge_on must name at least one task, but got none")
    if better == "neither":
        mistakes.append(
            "settings must be chosen by a metric that has a better direction, but got one that "
            "has none; choose by an accuracy"
        )
    if mistakes:
        raise InvalidValueError("; ".join(mistakes))


def _score(values: Scores, tasks: Collection[str]) -> float:
    if any(not values.get(task) for task in tasks):
        return math.nan
    means = [mean_interval(list(values[task].values())).mean for task in tasks]
    return mean_interval(means).mean


def _names(tasks: Collection[str]) -> str:
    names = sorted(tasks)
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
