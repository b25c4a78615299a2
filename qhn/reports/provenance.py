"""What was run: the facts of a sweep that a reader needs to judge and to repeat it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.results.table import Row


@dataclass(frozen=True)
class SweepFacts:
    """One sweep of a report.

    Attributes:
        name: its name.
        description: the description in its file, or an empty text.
        file: the text of its file.
        planned: how many trials the file asks for.
        ended: how many have a result.
        failed: how many have failed.
        stopped: how many of the results are of trials that were stopped early.
        versions: the versions of qhn that trained them.
        processors: the processors that trained them.
        training_seconds: the time of training, summed over the trials.
        started_ms: the start of the first trial, in milliseconds since 1970; None without results.
        finished_ms: the end of the last one. Both may lie in different runs of the sweep.
    """

    name: str
    description: str
    file: str
    planned: int
    ended: int
    failed: int
    stopped: int
    versions: tuple[str, ...]
    processors: tuple[str, ...]
    training_seconds: float
    started_ms: int | None
    finished_ms: int | None

    @property
    def wall_seconds(self) -> float | None:
        """Seconds from the start of the first trial to the end of the last one, with all pauses."""
        if self.started_ms is None or self.finished_ms is None:
            return None
        return (self.finished_ms - self.started_ms) / 1000


def sweep_facts(plan: Plan, text: str, rows: Sequence[Row]) -> SweepFacts:
    """The facts of a sweep.

    Args:
        plan: its plan.
        text: the text of its file.
        rows: its trials.
    """
    results = [row.result for row in rows if row.result is not None]
    return SweepFacts(
        name=plan.name,
        description=(plan.description or "").strip(),
        file=text,
        planned=len(rows),
        ended=len(results),
        failed=sum(row.error is not None for row in rows),
        stopped=sum(result.status == "stopped" for result in results),
        versions=tuple(sorted({result.version or "not known" for result in results})),
        processors=tuple(sorted({result.processor or "not known" for result in results})),
        training_seconds=math.fsum(result.training_seconds for result in results),
        started_ms=min((result.started_ms for result in results), default=None),
        finished_ms=max((result.finished_ms for result in results), default=None),
    )
