"""The result or the error of a trial that is over, as JSON."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

from qhn.core.errors import InvalidValueError
from qhn.core.metrics import ORIGINAL_NAMES
from qhn.sweeps.store.formats import FORMAT, check_format, parse_object

#: One of the most probable outcomes: its bits, its probability, its loss and its accuracies. In
#: core it is an `estimator.TopString`. A file may come from another version, with other entries.
StoredTopString = Mapping[str, str | float]


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial that finished or was stopped early.

    Attributes:
        trial_id: the digest of the configuration.
        status: ``finished`` after all steps, ``stopped`` if early stopping ended the trial.
        steps: the number of updates that were made.
        metrics: the last row of the history, value by metric name.
        flags: the diagnosis, as the step at which each flag appeared, by the flag's name.
        top_strings: the most probable outcomes, one mapping for each.
        training_seconds: the time spent on training, summed over all processes that trained it.
        started_ms: the Unix time of the start, in milliseconds.
        finished_ms: the Unix time of the end, in milliseconds.
        version: the version of qhn that trained it; None in results that do not say it.
        processor: the name and the vector features of the processor that trained it; None in
            results that do not say it.
        lane: what the trial used of the lane of a queued device, as JSON values; None for any other
            trial.

    Raises:
        InvalidValueError: if a metric is not finite. A trial whose training diverged has no result,
            but an error (see `diverged`). A metric that a trial does not have is left out.
    """

    trial_id: str
    status: Literal["finished", "stopped"]
    steps: int
    metrics: Mapping[str, float]
    flags: Mapping[str, int]
    top_strings: tuple[StoredTopString, ...]
    training_seconds: float
    started_ms: int
    finished_ms: int
    version: str | None = None
    processor: str | None = None
    lane: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        for name, value in self.metrics.items():
            if not math.isfinite(value):
                raise InvalidValueError(
                    f"metrics of a result must be finite, but {name} is {value}; leave a metric "
                    "out that the trial does not have, and let a trial that diverged fail"
                )

    def metric(self, name: str) -> float:
        """The value of a metric; NaN if the result does not have it."""
        return self.metrics.get(name, math.nan)

    def to_json(self) -> str:
        """The text of the result's file."""
        content = {key: value for key, value in asdict(self).items() if value is not None}
        return json.dumps({"format": FORMAT, **content}, indent=1, allow_nan=False)


@dataclass(frozen=True)
class TrialError:
    """The error with which a trial failed.

    Attributes:
        message: the message for people.
        traceback: Python's traceback, for those who look for the cause.
        failed_ms: the Unix time of the failure, in milliseconds.
        flags: the diagnosis, as the step at which each flag appeared, by the flag's name.
    """

    message: str
    traceback: str
    failed_ms: int
    flags: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the error's file."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, content: bytes) -> TrialError:
        """Read the text of an error's file.

        A file that cannot be read still means that the trial failed. Its text is then the
        traceback.
        """
        try:
            found = parse_object(content)
            message, traceback = found["message"], found["traceback"]
            if not isinstance(message, str) or not isinstance(traceback, str):
                raise InvalidValueError("message and traceback must be text")
            return cls(message, traceback, _whole(found, "failed_ms"), _flags(found))
        except (InvalidValueError, KeyError):
            return cls("the error's file is unreadable", content.decode(errors="replace"), 0)


def diverged(metric: str, value: str, steps: int, flags: Mapping[str, int], ms: int) -> TrialError:
    """The error of a trial whose training diverged, that is, whose metrics are not finite.

    Args:
        metric: the name of a metric that is not finite.
        value: its value as text.
        steps: the number of steps after which this was seen.
        flags: the diagnosis of the trial.
        ms: the Unix time, in milliseconds.
    """
    return TrialError(
        f"training diverged: its metrics must be finite, but {metric} was {value} after "
        f"{steps} steps; use a smaller learning rate or a smaller λ",
        "",
        ms,
        flags,
    )


_STATUSES = ("finished", "stopped")
# Entries that format 1 did not have.
_ADDED = {"version", "processor", "lane"}
_ORIGINAL = {field.name for field in fields(TrialResult)} - _ADDED


def read_result(content: bytes, trial_id: str, source: str) -> TrialResult | TrialError:
    """Read the file of a result.

    Args:
        content: the bytes of the file.
        trial_id: the id of the trial that it must belong to.
        source: the name of the file, for messages.

    Returns:
        The result. In format 1, a training that diverged was stored as a result; its error is
        returned instead.

    Raises:
        InvalidValueError: if it is not a result, or is the result of another trial.
        NewerFormatError: if a newer version wrote it.
    """
    found = parse_object(content)
    version = check_format(found.pop("format", 1), source)
    if odd := (found.keys() ^ _ORIGINAL) - (_ADDED if version > 1 else set()):
        raise InvalidValueError(f"it has missing or unknown entries: {', '.join(sorted(odd))}")
    if found["trial_id"] != trial_id:
        raise InvalidValueError(f"it is the result of another trial, {found['trial_id']!r}")
    if found["status"] not in _STATUSES:
        raise InvalidValueError(f"its status must be one of {_STATUSES}, not {found['status']!r}")
    steps, flags = _whole(found, "steps"), _flags(found)
    finished_ms = _whole(found, "finished_ms")
    metrics = _mapping(found["metrics"], "metrics")
    if version == 1:
        # Format 1 wrote numbers that are not finite as text.
        for name, value in metrics.items():
            if value in ("nan", "inf", "-inf"):
                return diverged(name, str(value), steps, flags, finished_ms)
    strings = found["top_strings"]
    if not isinstance(strings, list):
        raise InvalidValueError("its top_strings must be a list")
    return TrialResult(
        trial_id=trial_id,
        status="stopped" if found["status"] == "stopped" else "finished",
        steps=steps,
        metrics={name: _number(value, name) for name, value in metrics.items()},
        flags=flags,
        top_strings=tuple(map(_top_string, strings)),
        training_seconds=_number(found["training_seconds"], "training_seconds"),
        started_ms=_whole(found, "started_ms"),
        finished_ms=finished_ms,
        version=_text(found, "version"),
        processor=_text(found, "processor"),
        lane=_mapping(found["lane"], "lane") if "lane" in found else None,
    )


def _number(value: object, name: str) -> float:
    # JSON may have a whole number that is too large for a float. That is an error, and not
    # infinity. bool is a kind of int in Python, but true is not a number.
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if math.isfinite(value):
                return float(value)
    raise InvalidValueError(f"its {name} must be a finite number, but it is {value!r}")


def _whole(found: Mapping[str, object], name: str) -> int:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidValueError(f"its {name} must be a whole number >= 0, but it is {value!r}")
    return value


def _mapping(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidValueError(f"its {name} must be a JSON object, but they are {value!r}")
    return value


def _flags(found: Mapping[str, object]) -> dict[str, int]:
    flags = _mapping(found.get("flags", {}), "flags")
    return {name: _whole(flags, name) for name in flags}


def _text(found: Mapping[str, object], name: str) -> str | None:
    value = found.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidValueError(f"its {name} must be text, but it is {value!r}")
    return value


def _top_string(value: object) -> StoredTopString:
    cells = _mapping(value, "top_strings")
    return {
        name: cell if isinstance(cell, str) else _number(cell, f"top_strings' {name}")
        for name, cell in cells.items()
    }


def results_digest(results: Iterable[TrialResult]) -> str:
    """The SHA-256 of all final numbers: it is equal if they are equal bit for bit, and only then.

    Only the metrics of version f0fdd86 count, so that the digest of a sweep stays the same when
    metrics are added. Times do not count, and the order of the results makes no difference.
    """
    digest = hashlib.sha256()
    for result in sorted(results, key=lambda result: result.trial_id):
        digest.update(f"{result.trial_id} {result.status} {result.steps}\n".encode())
        for name in sorted(set(ORIGINAL_NAMES) & result.metrics.keys()):
            # `hex` writes every bit of a float, without rounding.
            digest.update(f"{name} {float(result.metrics[name]).hex()}\n".encode())
    return digest.hexdigest()
