"""What was found out before a sweep about devices, machines, the store and the tracking server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

#: ``fine``; ``warning`` if the sweep may run all the same; ``wrong`` if it must not be started.
Verdict = Literal["fine", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        where: the device or the machine, as people read it.
        what: what was looked at there, such as ``queue``, ``store`` or ``memory``.
        verdict: how it is.
        text: how it is in words, and what to do about it if something is wrong.
    """

    where: str
    what: str
    verdict: Verdict
    text: str


def lines(findings: Iterable[Finding], verdict: Verdict) -> list[str]:
    """The findings with a verdict, each as one line."""
    return [f"{f.where}: {f.what}: {f.text}" for f in findings if f.verdict == verdict]
