"""``qhn sweep plan``: shows what would run, and the time and memory that it would take."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.prices import lanes_json, print_lanes
from qhn.cli.progress import standing
from qhn.cli.tables import Column, factor_columns, print_columns, print_shared, print_words
from qhn.cli.words import counted, duration
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.planning.cost import Cost, estimate
from qhn.sweeps.planning.factors import factor_table
from qhn.sweeps.planning.machine import size_text, this_machine
from qhn.sweeps.planning.memory import memory_of
from qhn.sweeps.planning.plan import Plan, PlannedTrial, make_plan
from qhn.sweeps.planning.preflight import preflight
from qhn.sweeps.results.left import LaneLeft, check_budgets, lanes_left
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store


@dataclass(frozen=True)
class _Standing:
    """A plan, and how far the store is with it.

    Attributes:
        plan: the plan, in the order in which its trials are run.
        finished: the ids of finished trials.
        failed: the ids of failed trials.
        left: the trials that are left.
        lanes: what is left to do in each lane of a queued device.
        cost: the time of the simulated trials that are left, and the memory of all that are left.
        slots: how many simulated trials run at once.
    """

    plan: Plan
    finished: set[str]
    failed: set[str]
    left: Sequence[PlannedTrial]
    lanes: tuple[LaneLeft, ...]
    cost: Cost
    slots: int


def show_plan(
    content: bytes,
    source: str,
    store: Store,
    cpus: int | None,
    console: Console,
    *,
    as_json: bool = False,
    over_budget: bool = False,
) -> None:
    """Print the trials of a sweep by group, and what the rest would take: time, memory and money.

    Args:
        content: the content of the sweep file.
        source: the name of the file in messages.
        store: where trials are kept.
        cpus: how many trials run at once; None for one on each core.
        console: where to print.
        as_json: whether to print JSON instead.
        over_budget: whether a sweep may be expected to take more than its budgets.

    Raises:
        SpecError: if the file has mistakes, the sweep needs more memory than the machine has, or it
            is expected to take more of a lane than its budget. Of the last one everything is
            printed before.
        StoreError: if the store cannot be read.
    """
    found = _standing(content, source, store, cpus)
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=1))
    else:
        _print(console, found)
    if not over_budget:
        check_budgets(found.lanes, content, source)


def _standing(content: bytes, source: str, store: Store, cpus: int | None) -> _Standing:
    plan = make_plan(parse_spec(content, source))
    machine = this_machine()
    plan = replace(plan, trials=preflight(plan.trials, machine, content, source))
    done = outcomes(plan, store)
    finished = set(done)
    failed = store.failed(trial.trial_id for trial in plan.trials) - finished
    over = finished | failed
    left = [trial for trial in plan.trials if trial.trial_id not in over]
    # Devices with a queue are never opened for an estimate: that would take money and a secret.
    timed = [trial.config for trial in left if trial.lane is None]
    results = ((trial, done.get(trial.trial_id)) for trial in plan.trials if trial.lane is None)
    # The time of a trial that was stopped early says nothing about that of a whole one.
    known = [
        (trial.config, result.training_seconds)
        for trial, result in results
        if result is not None and result.status != "stopped"
    ]
    cost = replace(estimate(timed, known), memory=memory_of(trial.config for trial in left))
    slots = min(cpus or available_cpus(), cost.memory.trials_at_once(machine.memory_bytes))
    return _Standing(plan, finished, failed, left, lanes_left(plan, store, over), cost, slots)


def _as_json(found: _Standing) -> dict[str, object]:
    return {
        "name": found.plan.name,
        "trials": len(found.plan.trials),
        "finished": len(found.finished),
        "failed": len(found.failed),
        "left": len(found.left),
        "duplicates": found.plan.duplicates,
        "groups": list(found.plan.groups.values()),
        "training_seconds": found.cost.training_seconds,
        "slots": found.slots,
        "shared_bytes": found.cost.memory.shared,
        "trial_bytes": found.cost.memory.trial,
        "lanes": lanes_json(found.lanes),
        "time_limit_seconds": found.plan.time_limit,
    }


def _print(console: Console, found: _Standing) -> None:
    plan = found.plan
    _print_groups(console, plan, found.finished, found.failed)
    counts = standing(len(plan.trials), len(found.finished), len(found.failed))
    words = f"[bold]{escape(plan.name)}[/]: {counts}."
    if plan.duplicates:
        words += f" {counted(plan.duplicates, 'repetition')} in the file left out."
    print_words(console, words)
    if found.failed:
        console.print("failed trials run again with: qhn sweep run FILE --retry-failed")
    if not found.left:
        return
    print_lanes(console, found.lanes)
    slots, memory = counted(found.slots, "slot"), found.cost.memory
    if any(trial.lane is None for trial in found.left):
        console.print(
            f"about {duration(found.cost.training_seconds / found.slots)} of training on {slots}, "
            "and some seconds to start; the first run on a machine also compiles the engine",
            soft_wrap=True,
            highlight=False,
        )
    if plan.time_limit is not None:
        console.print(
            f"time_limit: a trial that works for more than {duration(plan.time_limit)} is ended",
            soft_wrap=True,
            highlight=False,
        )
    console.print(
        f"memory: {size_text(memory.shared)} of tables shared by all trials, "
        f"up to {size_text(memory.trial)} for each of {counted(found.slots, 'trial')} at once",
        soft_wrap=True,
        highlight=False,
    )


def _print_groups(console: Console, plan: Plan, finished: set[str], failed: set[str]) -> None:
    groups = plan.group_configs
    planned, over, broken = Counter[str](), Counter[str](), Counter[str]()
    for trial in plan.trials:
        planned[trial.group_id] += 1
        over[trial.group_id] += trial.trial_id in finished
        broken[trial.group_id] += trial.trial_id in failed
    settings = factor_table(groups, over_tasks=plan.over_tasks)
    print_shared(console, settings.shared)
    numbers = {
        "trials": planned,
        "finished": over,
        "failed": broken,
        "left": planned - over - broken,
    }
    counts = [
        Column(title, [str(of_group[group] or "") for group in groups])
        for title, of_group in numbers.items()
    ]
    print_columns(console, [*factor_columns(settings, list(groups)), *counts])
