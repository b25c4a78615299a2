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


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Setting]:
    flat: dict[str, Setting] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
