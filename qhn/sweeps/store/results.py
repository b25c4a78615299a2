"""What is left of a trial when it is over, as JSON: its result, or its error."""

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

#: One of the most probable outcomes: its bits, its probability, what it scores.
TopString = Mapping[str, str | float]


@dataclass(frozen=True)
class TrialResult:
    """The end of a trial.

    Attributes:
        trial_id: digest of the configuration.
        status: ``finished`` after all steps, ``stopped`` where early stopping ended it.
        steps: number of updates made.
        metrics: last row of the history by metric name, without those that it does not have.
        flags: diagnosis, name to the step at which it appeared.
        top_strings: most probable outcomes, one mapping each.
        training_seconds: time spent training, over all processes that worked on it.
        started_ms, finished_ms: Unix times in milliseconds.
        version: of the qhn that trained it; None before results said so.
        processor: features of the processor that trained it; None before results said so.

    Raises:
        InvalidValueError: if a metric is not finite. A training that diverged has no result, it
            failed (see `diverged`); a metric that a trial does not have is left out.
    """

    trial_id: str
    status: Literal["finished", "stopped"]
    steps: int
    metrics: Mapping[str, float]
    flags: Mapping[str, int]
    top_strings: tuple[TopString, ...]
    training_seconds: float
    started_ms: int
    finished_ms: int
    version: str | None = None
    processor: str | None = None

    def __post_init__(self) -> None:
        for name, value in self.metrics.items():
            if not math.isfinite(value):
                raise InvalidValueError(
                    f"metrics of a result must be finite, but {name} is {value}; leave a metric "
                    "out that the trial does not have, and let a trial that diverged fail"
                )

    def metric(self, name: str) -> float:
        """A metric by its name; NaN where the result does not have it."""
        return self.metrics.get(name, math.nan)

    def to_json(self) -> str:
        """The file's text."""
        content = {key: value for key, value in asdict(self).items() if value is not None}
        return json.dumps({"format": FORMAT, **content}, indent=1, allow_nan=False)


@dataclass(frozen=True)
class TrialError:
    """Why a trial failed.

    Attributes:
        message: for people.
        traceback: for whoever mends it.
        failed_ms: Unix time in milliseconds.
        flags: diagnosis, name to the step at which it appeared.
    """

    message: str
    traceback: str
    failed_ms: int
    flags: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, content: bytes) -> TrialError:
        """Read the file's text; an unreadable error is still an error."""
        try:
            found = parse_object(content)
            message, traceback = found["message"], found["traceback"]
            if not isinstance(message, str) or not isinstance(traceback, str):
                raise InvalidValueError("message and traceback must be text")
            return cls(message, traceback, _whole(found, "failed_ms"), _flags(found))
        except (InvalidValueError, KeyError):
            return cls("the error's file is unreadable", content.decode(errors="replace"), 0)


def diverged(metric: str, value: str, steps: int, flags: Mapping[str, int], ms: int) -> TrialError:
    """The failure of a training that came to numbers that are not finite.

    Args:
        metric: one that is not finite.
        value: what it is, in words.
        steps: after how many steps that was seen.
        flags: the trial's diagnosis.
        ms: Unix time in milliseconds.
    """
    return TrialError(
        f"training diverged: its metrics must be finite, but {metric} was {value} after "
        f"{steps} steps; use a smaller learning rate or a smaller λ",
        "",
        ms,
        flags,
    )


_STATUSES = ("finished", "stopped")
_ADDED = {"version", "processor"}
_ORIGINAL = {field.name for field in fields(TrialResult)} - _ADDED


def read_result(content: bytes, trial_id: str, source: str) -> TrialResult | TrialError:
    """Read a result's file.

    Args:
        content: of the file.
        trial_id: whose result it must be.
        source: the file, for messages.

    Returns:
        The result; the failure in place of one of format 1 whose training diverged, which that
        format kept as a result.

    Raises:
        InvalidValueError: if it is no result, or that of another trial.
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
    )


def _number(value: object, name: str) -> float:
    # The float of a whole number may be too large, which is an error, not infinity.
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


def _top_string(value: object) -> TopString:
    cells = _mapping(value, "top_strings")
    return {
        name: cell if isinstance(cell, str) else _number(cell, f"top_strings' {name}")
        for name, cell in cells.items()
    }


def results_digest(results: Iterable[TrialResult]) -> str:
    """SHA-256 over all final numbers by trial id: equal if and only if they are, bit for bit.

    Only the metrics of version f0fdd86 count, so that the digest of a sweep stays what it is when
    metrics are added. Times are left out; the order of the results does not matter.
    """
    digest = hashlib.sha256()
    for result in sorted(results, key=lambda result: result.trial_id):
        digest.update(f"{result.trial_id} {result.status} {result.steps}\n".encode())
        for name in sorted(set(ORIGINAL_NAMES) & result.metrics.keys()):
            digest.update(f"{name} {float(result.metrics[name]).hex()}\n".encode())
    return digest.hexdigest()
