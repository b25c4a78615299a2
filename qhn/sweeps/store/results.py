"""What is left of a trial when it is over, as JSON: its result, or its error."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from qhn.core.errors import StoreError


def _encode(value: float) -> float | str:
    # JSON has no NaN and no infinities, and a trial that exploded ends with them.
    return value if math.isfinite(value) else repr(value)


@dataclass(frozen=True)
class TrialResult:
    """The end of a trial.

    Attributes:
        trial_id: digest of the configuration.
        status: ``finished`` after all steps, ``stopped`` where early stopping ended it.
        steps: number of updates made.
        metrics: last row of the history by metric name.
        flags: diagnosis, name to the step at which it appeared.
        top_strings: most probable outcomes, one mapping each.
        training_seconds: time spent training, over all processes that worked on it.
        started_ms, finished_ms: Unix times in milliseconds.
    """

    trial_id: str
    status: Literal["finished", "stopped"]
    steps: int
    metrics: Mapping[str, float]
    flags: Mapping[str, int]
    top_strings: tuple[Mapping[str, Any], ...]
    training_seconds: float
    started_ms: int
    finished_ms: int

    def to_json(self) -> str:
        """The file's text."""
        fields = asdict(self)
        fields["metrics"] = {name: _encode(value) for name, value in self.metrics.items()}
        return json.dumps(fields, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the file's text.

        Raises:
            StoreError: if it is not a result.
        """
        try:
            fields = json.loads(text)
            fields["metrics"] = {name: float(value) for name, value in fields["metrics"].items()}
            fields["top_strings"] = tuple(fields["top_strings"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(f"a trial's result must be JSON written by qhn: {error}") from error


@dataclass(frozen=True)
class TrialError:
    """Why a trial failed: the message for people, the traceback for whoever mends it."""

    message: str
    traceback: str
    failed_ms: int

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the file's text; an unreadable error is still an error."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return cls("the error's file is unreadable", text, 0)


def results_digest(results: Iterable[TrialResult]) -> str:
    """SHA-256 over all final numbers by trial id: equal if and only if they are, bit for bit.

    Times are left out; the order of the results does not matter.
    """
    digest = hashlib.sha256()
    for result in sorted(results, key=lambda result: result.trial_id):
        digest.update(f"{result.trial_id} {result.status} {result.steps}\n".encode())
        for name, value in sorted(result.metrics.items()):
            digest.update(f"{name} {float(value).hex()}\n".encode())
    return digest.hexdigest()
