"""The ids under which jobs are submitted, by which they are found again after a crash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError

# Providers take 64 to 86 letters, digits and hyphens as a tag or token. With 16 digits for the
# store and the trial each, 20 are left for step and attempt.
_PART = re.compile(r"[0-9a-z]{1,16}")
_TEXT = re.compile(r"qhn-([0-9a-z]{1,16})-([0-9a-z]{1,16})-(0|[1-9]\d{0,8})-(0|[1-9]\d{0,8})")


@dataclass(frozen=True)
class Submission:
    """What a job is for: its id is made of this, so that every process makes the same one.

    Attributes:
        store: the id of the store. Two stores may train the same trial, and pay for it each.
        trial: the id of the trial.
        step: the step of its training, from 0 on.
        attempt: 0, and one more after each job of this step that failed. A provider that knows the
            id already would only give the failed job back.

    Raises:
        InvalidValueError: if store or trial is not 1 to 16 small letters and digits, or if step or
            attempt is negative.

    Example:
        >>> Submission("5a0e", "0123456789abcdef", 17).id
        'qhn-5a0e-0123456789abcdef-17-0'
    """

    store: str
    trial: str
    step: int
    attempt: int = 0

    def __post_init__(self) -> None:
        for name in ("store", "trial"):
            if not _PART.fullmatch(getattr(self, name)):
                raise InvalidValueError(
                    f"{name} must be 1 to 16 small letters and digits, "
                    f"but got {getattr(self, name)!r}"
                )
        check_count("step", self.step, least=0)
        check_count("attempt", self.attempt, least=0)

    @property
    def id(self) -> str:
        """The id as text, at most 64 characters: letters, digits and hyphens."""
        return f"qhn-{self.store}-{self.trial}-{self.step}-{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id.

        Raises:
            InvalidValueError: if it is none.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise InvalidValueError(
                f"a submission id must look like qhn-STORE-TRIAL-STEP-ATTEMPT, but got {text!r}"
            )
        store, trial, step, attempt = found.groups()
        return cls(store, trial, int(step), int(attempt))

    def again(self) -> Self:
        """The next attempt at the same step."""
        return type(self)(self.store, self.trial, self.step, self.attempt + 1)
