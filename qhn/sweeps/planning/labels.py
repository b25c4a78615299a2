"""Short names of groups for tables and legends: what varies in a sweep, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.factors import factors, varying


def labels(groups: Mapping[str, TrialConfig], *, over_tasks: bool = False) -> dict[str, str]:
    """A unique label for each group of one sweep, such as ``moons elbo lambda=1``.

    Data set, objective and λ are always named, everything else only if it varies within the
    sweep. So labels can change when a sweep is extended by new values (not by new seeds): they
    are for people, the group's id is for programs.

    Args:
        groups: group id and the configuration of any of its trials.
        over_tasks: whether the trials of a group have data of different seeds.

    Returns:
        Label by group id, ASCII.
    """
    # Four digits read best; in the rare sweep where they are too few, every digit is shown.
    for digits in (4, 17):
        found = _labels(groups, digits, over_tasks)
        if len(set(found.values())) == len(found):
            return found
    return {group: f"{label} {group[:6]}" for group, label in found.items()}


def _labels(groups: Mapping[str, TrialConfig], digits: int, over_tasks: bool) -> dict[str, str]:
    by_group = {
        group: factors(config, digits, over_tasks=over_tasks) for group, config in groups.items()
    }
    moving = varying(by_group)
    return {
        group: " ".join(f.label for f in of_group if f.always or (f.scope, f.title) in moving)
        for group, of_group in by_group.items()
    }
