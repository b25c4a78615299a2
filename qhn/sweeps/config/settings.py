"""The settings of a trial under flat names, which MLflow's parameters and all tables use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from qhn.sweeps.config.trial import TrialConfig

#: One setting: text, a number, or true or false.
Setting: TypeAlias = str | int | float | bool


def settings(config: TrialConfig) -> dict[str, Setting]:
    """All settings of a trial by name, without those that it does not use.

    The names must never change, because users keep them in MLflow databases and exported tables.

    Example:
        >>> config = TrialConfig.model_validate(
        ...     {"dataset": {"name": "moons"}, "objective": {"name": "mle"}, "seed": 3}
        ... )
        >>> settings(config)["dataset.name"], settings(config)["seed"]
        ('moons', 3)
    """
    return _flatten(config.model_dump(by_alias=True, exclude_none=True))


def of_group(config: TrialConfig, over_tasks: bool) -> dict[str, Setting]:
    """The settings that all trials of a group have, given one of them.

    Args:
        config: the configuration of any of the trials.
        over_tasks: whether they also have data of different seeds.
    """
    own = {"seed", "dataset.seed"} if over_tasks else {"seed"}
    return {name: value for name, value in settings(config).items() if name not in own}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Setting]:
    flat: dict[str, Setting] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, tuple | list):
            # Tables and databases have no lists.
            flat[f"{prefix}{name}"] = ", ".join(map(str, value))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
