"""The description of a sweep in Markdown: what was run, its results, and how to continue it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence

from qhn.core.metrics import ACCURACIES, HEADLINE
from qhn.sweeps.planning.factors import FactorTable, factor_table
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.results.ranking import ranked, winners
from qhn.sweeps.results.statistics import GroupSummary, MeanInterval
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import default_folder, local_folder
from qhn.sweeps.tracking.location import TrackingLocation

# Some versions of MLflow refuse texts with more than 5,000 characters. The line of links, which is
# put before the description of the experiment, needs room as well.
_LONGEST = 4500
_TEST = [metric.name for metric in ACCURACIES if metric.name.startswith("test_")]


def sweep_note(plan: Plan, groups: Sequence[GroupSummary], resume: str | None) -> str:
    """The description of a sweep, at most 4,500 characters long.

    Args:
        plan: the plan of the sweep.
        groups: the groups that have a result. If they do not all fit, the best of each data set
            are shown.
        resume: the command that continues the sweep; None to leave it out.
    """
    configs = plan.group_configs
    table = factor_table(configs, over_tasks=plan.over_tasks)
    shared = ", ".join(f"{title} {value}" for title, value in table.shared.items())
    counts = f"{len(plan.trials):,} trials in {len(configs):,} groups"
    ends = [f"**What was run:** {counts}; all groups share {shared}."]
    if resume is not None:
        ends.append(f"**To go on, or to add what the sweep's file asks for:**\n\n    {resume}")
    room = _LONGEST - sum(len(part) + 2 for part in ends)
    text = (plan.description or "").strip()
    if len(text) > room:
        text = text[: max(0, room - 2)] + " …"
    room -= len(text) + 2
    parts = [text, ends[0], _results(groups, table, room), *ends[1:]]
    return "\n\n".join(part for part in parts if part)


def resume_command(name: str, store: Store, location: TrackingLocation) -> str:
    """The command that continues a sweep from any folder on this machine, without passwords."""
    words = ["qhn", "sweep", "resume", name]
    folder = local_folder(store)
    if folder != default_folder():
        words += ["--store", store.shown]
    if location.database != folder / "mlflow.db":
        words += ["--tracking-uri", location.shown]
    return shlex.join(words)


def _results(groups: Sequence[GroupSummary], table: FactorTable, room: int) -> str:
    """The groups as a table of at most ``room`` characters; empty if there is no room for any."""
    places = [
        (group, place)
        for members in ranked(groups, HEADLINE)
        for place, group in enumerate(members)
    ]
    best = winners(groups, HEADLINE)
    over_tasks = any(group.tasks is not None for group in groups)
    titles = [*table.titles, "trials" if over_tasks else "seeds", *(_short(name) for name in _TEST)]
    cells = {
        group.group_id: [
            *(table.cells[group.group_id].get(title, "") for title in table.titles),
            *_numbers(group, best=group.group_id in best),
        ]
        for group, _ in places
    }
    lines = {group_id: _line(of_group) for group_id, of_group in cells.items()}
    widest = [
        max((len(cell) for cell in column), default=0)
        for column in zip(*cells.values(), strict=True)
    ]
    head = [_line(map(_spaced, titles, widest)), _line(["---"] * len(titles))]
    left_out = (
        "The best groups of each data set; the others are in `summary.csv`, an artifact of the "
        "sweep's own run."
    )
    spread = "the seeds of a task" if over_tasks else "seeds"
    words = (
        f"**Test accuracy, mean ± standard deviation over {spread}**, the best *expected* accuracy "
        "of each data set in bold:"
    )
    used = sum(len(line) + 1 for line in (words, left_out, *head)) + 4
    shown = set()
    # The best group of each data set comes first, then the second of each, and so on, so that no
    # data set is missing because another one has many groups.
    for group, _ in sorted(places, key=lambda found: found[1]):
        used += len(lines[group.group_id]) + 1
        if used > room:
            break
        shown.add(group.group_id)
    if not shown:
        return ""
    body = "\n".join([*head, *(lines[g.group_id] for g, _ in places if g.group_id in shown)])
    parts = [words, body, *([] if len(shown) == len(places) else [left_out])]
    return "\n\n".join(parts)


def _numbers(group: GroupSummary, best: bool) -> list[str]:
    found = [str(group.trials)]
    for name in _TEST:
        text = _spread(group.intervals[name])
        found.append(f"**{text}**" if best and name == HEADLINE else text)
    return found


def _spread(interval: MeanInterval) -> str:
    if math.isnan(interval.mean):
        return "–"
    if math.isnan(interval.deviation):
        return f"{interval.mean:.3f}"
    return f"{interval.mean:.3f} ± {interval.deviation:.3f}"


def _short(metric: str) -> str:
    return metric.removeprefix("test_accuracy_").replace("_", " ")


def _spaced(title: str, widest: int) -> str:
    """A title that is wider than its cells, since MLflow's page puts no space between columns."""
    missing = max(0, widest - len(title)) // 2 + 1
    return title + "&emsp;" * missing


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
