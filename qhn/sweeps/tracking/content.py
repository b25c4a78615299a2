"""What is written to MLflow about a trial: parameters, tags, and the posterior as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from qhn.sweeps.config.settings import of_group, settings
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.store import TrialRecord, TrialResult

STOPPED_TAG, ERROR_TAG = "qhn.stopped_early", "qhn.error"
_FLAG_PREFIX = "qhn.flag."
# MLflow refuses longer tags in some of its versions.
_LONGEST_TAG = 5000


def parameters(config: TrialConfig) -> dict[str, str]:
    """The trial's settings as MLflow parameters: text by name."""
    return {name: str(value) for name, value in settings(config).items()}


def group_parameters(trial: PlannedTrial) -> dict[str, str]:
    """The settings that the trials of a group share, given one of them, as MLflow parameters."""
    shared = of_group(trial.config, trial.data_seed is not None)
    return {name: str(value) for name, value in shared.items()}


def outcome_tags(record: TrialRecord) -> dict[str, str]:
    """Tags that say how the trial ended: its flags with their steps, an early stop, an error.

    A trial that has not ended has none.
    """
    if record.result is not None:
        tags = _flag_tags(record.result.flags)
        if record.result.status == "stopped":
            tags[STOPPED_TAG] = str(record.result.steps)
        return tags
    if record.error is not None:
        return _flag_tags(record.error.flags) | {ERROR_TAG: record.error.message[:_LONGEST_TAG]}
    return {}


def is_outcome(tag: str) -> bool:
    """Whether `outcome_tags` can return a tag with this name."""
    return tag in (STOPPED_TAG, ERROR_TAG) or tag.startswith(_FLAG_PREFIX)


def _flag_tags(flags: Mapping[str, int]) -> dict[str, str]:
    return {f"{_FLAG_PREFIX}{name}": str(step) for name, step in flags.items()}


def posterior_csv(result: TrialResult) -> str:
    """The most probable outcomes of the trained posterior as CSV text with a header line."""
    text = io.StringIO()
    columns = list(result.top_strings[0]) if result.top_strings else ["bits", "probability"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.top_strings)
    return text.getvalue()
