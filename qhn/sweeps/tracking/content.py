"""What MLflow is told of a trial: parameters, tags, and the posterior as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.store import TrialRecord, TrialResult


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted names: ``{"a": {"b": 1}}`` becomes ``{"a.b": "1"}``."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        elif value is not None:
            flat[f"{prefix}{name}"] = str(value)
    return flat


def parameters(config: TrialConfig) -> dict[str, str]:
    """The trial's settings as MLflow parameters."""
    return flatten(config.model_dump(by_alias=True, exclude_none=True))


def outcome_tags(record: TrialRecord) -> dict[str, str]:
    """How the trial ended, as tags: diagnostic flags with their step, early stop, error."""
    if record.result is not None:
        tags = {f"qhn.flag.{name}": str(step) for name, step in record.result.flags.items()}
        if record.result.status == "stopped":
            tags["qhn.stopped_early"] = str(record.result.steps)
        return tags
    if record.error is not None:
        return {"qhn.error": record.error.message[:5000]}
    return {}


def posterior_csv(result: TrialResult) -> str:
    """Most probable outcomes of the trained posterior as a table."""
    text = io.StringIO()
    columns = list(result.top_strings[0]) if result.top_strings else ["bits", "probability"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.top_strings)
    return text.getvalue()
