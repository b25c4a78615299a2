"""``qhn sweep plan``: what would run, and what it would take."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from qhn.cli.words import counted, duration
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.planning.cost import estimate
from qhn.sweeps.planning.machine import size_text, this_machine
from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.planning.preflight import preflight
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store


def show_plan(
    content: bytes, source: str, store: Store, cpus: int | None, console: Console
) -> None:
    """Print the trials of a sweep by group, and the time and memory that is left to spend."""
    plan = make_plan(parse_spec(content, source))
    machine = this_machine()
    plan = replace(plan, trials=preflight(plan.trials, machine, content, source))
    ids = [trial.trial_id for trial in plan.trials]
    done = outcomes(plan, store)
    finished = set(done)
    failed = store.failed(ids) - finished
    console.print(_groups(plan, finished, failed))
    left = [trial for trial in plan.trials if trial.trial_id not in finished | failed]
    repeated = f" ({counted(plan.duplicates, 'repetition')} left out)" if plan.duplicates else ""
    console.print(
        f"[bold]{escape(plan.name)}[/]: {counted(len(ids), 'trial')}{repeated}, "
        f"{len(finished)} finished, {len(failed)} failed, {len(left)} to run",
        soft_wrap=True,
        highlight=False,
    )
    if failed:
        console.print("failed trials run again with: qhn sweep run FILE --retry-failed")
    if not left:
        return
    results = ((trial.config, done.get(trial.trial_id)) for trial in plan.trials)
    known = [(c, r.training_seconds) for c, r in results if r is not None and r.status != "stopped"]
    cost = estimate([trial.config for trial in left], known)
    slots = min(cpus or available_cpus(), cost.memory.trials_at_once(machine.memory_bytes))
    console.print(
        f"about {duration(cost.training_seconds / slots)} of training on {counted(slots, 'slot')}, "
        "and some seconds to start; the first run on a machine also compiles the engine\n"
        f"memory: {size_text(cost.memory.shared)} of tables shared by all trials, "
        f"up to {size_text(cost.memory.trial)} for each of {counted(slots, 'trial')} at once",
        soft_wrap=True,
        highlight=False,
    )


def _groups(plan: Plan, finished: set[str], failed: set[str]) -> Table:
    planned = Counter(trial.group for trial in plan.trials)
    over = Counter(trial.group for trial in plan.trials if trial.trial_id in finished)
    broken = Counter(trial.group for trial in plan.trials if trial.trial_id in failed)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("group", overflow="fold")
    for title in ("trials", "finished", "failed", "to run"):
        table.add_column(title, justify="right")
    for group, count in planned.items():
        left = count - over[group] - broken[group]
        numbers = (count, over[group], broken[group], left)
        table.add_row(Text(group), *(str(number or "") for number in numbers))
    return table
