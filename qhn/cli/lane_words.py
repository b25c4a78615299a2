"""Says in words how the lanes of queued devices stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from qhn.cli.words import counted
from qhn.lanes import Budget, Usage
from qhn.sweeps.driver.lane_board import STATES, LaneBoard
from qhn.sweeps.planning.prices import amount_text

_TITLES = {
    "computing": "computing",
    "waiting for lease": "waiting for\na lease",
    "queued": "queued at\nthe provider",
    "executing": "executing",
    "waiting for budget": "waiting\nfor budget",
}
_IN_WORDS = {
    "computing": "computing",
    "waiting for lease": "waiting for a lease",
    "queued": "queued at the provider",
    "executing": "executing",
    "waiting for budget": "waiting for budget",
}


def states_text(states: Mapping[str, int]) -> str:
    """How many trials are in each state, such as ``2 computing, 1 queued at the provider``."""
    parts = [f"{states[state]} {_IN_WORDS[state]}" for state in STATES if states.get(state)]
    return ", ".join(parts) or "no trial runs"


def state_text(state: str, note: str = "") -> str:
    """Where one trial is, such as ``queued at the provider``, and why if there is more to say."""
    words = _IN_WORDS.get(state, state)
    return f"{words} ({note})" if note else words


def spent_text(spent: Usage, budget: Budget | None, currency: str) -> str:
    """What a sweep has used of a lane, and of which budget, such as ``27.7 of 30 QPU s``."""
    limits = budget if budget is not None and budget.per == "sweep" else None
    # Money and seconds are always told; shots only where they are limited.
    kinds: Sequence[tuple[float, float | None, str]] = (
        (spent.shots, limits.shots if limits else None, "shots"),
        (spent.qpu_seconds, limits.qpu_seconds if limits else None, "QPU s"),
        (spent.cost, limits.cost if limits else None, currency),
    )
    parts = []
    for used, most, unit in kinds:
        if most is not None:
            parts.append(f"{amount_text(used)} of {amount_text(most)} {unit}")
        elif unit != "shots":
            parts.append(f"{amount_text(used)} {unit}")
    return ", ".join(parts)


def budget_text(budget: Budget | None, currency: str) -> str:
    """What a lane may use, such as ``the budget is 600 QPU s for the sweep``."""
    if budget is None:
        return "no budget limits it"
    limits = ((budget.shots, "shots"), (budget.qpu_seconds, "QPU s"), (budget.cost, currency))
    amounts = [f"{amount_text(most)} {unit}" for most, unit in limits if most is not None]
    whose = "the sweep" if budget.per == "sweep" else "each trial"
    return f"the budget is {' and '.join(amounts)} for {whose}"


def lane_lines(lanes: LaneBoard) -> list[str]:
    """A line for each lane, for output that is no terminal."""
    lines = []
    for name, standing in lanes.standings.items():
        spent = spent_text(standing.spent, standing.lane.budget, standing.lane.provider.currency)
        lines.append(f"  lane {name}: {states_text(standing.states)}; spent {spent}")
    if lanes.paused:
        lines.append(f"  {counted(len(lanes.paused), 'trial')} stopped for now: budget spent")
    return lines


def lane_table(lanes: LaneBoard) -> Table | None:
    """A table of the lanes for a terminal; None if the sweep has none."""
    if not lanes.standings:
        return None
    standings = list(lanes.standings.items())
    # Columns in which no lane has a trial are left out, except the two that every job passes.
    shown = [
        state
        for state in STATES
        if state in ("waiting for lease", "queued") or any(s.states[state] for _, s in standings)
    ]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("lane", no_wrap=True, overflow="ellipsis", vertical="bottom")
    for state in shown:
        table.add_column(_TITLES[state], justify="right", vertical="bottom")
    table.add_column("spent", overflow="fold", vertical="bottom")
    for name, standing in standings:
        lane = standing.lane
        table.add_row(
            Text(name),
            *(str(standing.states[state] or "") for state in shown),
            Text(spent_text(standing.spent, lane.budget, lane.provider.currency)),
        )
    notes = sorted({note for _, standing in standings for note in set(standing.notes.values())})
    if notes:
        table.caption = Text("; ".join(notes[:2]), "yellow")
        table.caption_justify = "left"
    return table
