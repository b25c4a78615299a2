"""A trial's settings as flat names: the names that MLflow's parameters and every table share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from qhn.sweeps.config.trial import TrialConfig

#: One setting: text, a number, or true or false.
Setting: TypeAlias = str | int | float | bool


def settings(config: TrialConfig) -> dict[str, Setting]:
    """All settings of a trial by name; a setting that the trial does not use is left out.

    The names are part of what users keep (MLflow databases, exported tables), so they stay.

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
