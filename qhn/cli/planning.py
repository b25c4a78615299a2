"""``qhn sweep plan``: shows what would run, and the time and memory that it would take."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from rich.console import Console
from rich.markup import escape

from qhn.cli.progress import standing
from qhn.cli.tables import Column, factor_columns, print_columns, print_shared, print_words
from qhn.cli.words import counted, duration
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.driver.local_ray import available_cpus
from qhn.sweeps.planning.cost import estimate
from qhn.sweeps.planning.factors import factor_table
from qhn.sweeps.planning.machine import size_text, this_machine
from qhn.sweeps.planning.plan import Plan, make_plan
from qhn.sweeps.planning.preflight import preflight
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import Store


def show_plan(
    content: bytes, source: str, store: Store, cpus: int | None, console: Console
) -> None:
    """Print the trials of a sweep by group, and the time and memory that the rest would take.

    Args:
        content: the content of the sweep file.
        source: the name of the file in messages.
        store: where trials are kept.
        cpus: how many trials run at once; None for one on each core.
        console: where to print.

    Raises:
        SpecError: if the file has mistakes, or the sweep needs more memory than the machine has.
        StoreError: if the store cannot be read.
    """
    plan = make_plan(parse_spec(content, source))
    machine = this_machine()
    plan = replace(plan, trials=preflight(plan.trials, machine, content, source))
    ids = [trial.trial_id for trial in plan.trials]
    done = outcomes(plan, store)
    finished = set(done)
    failed = store.failed(ids) - finished
    _print_groups(console, plan, finished, failed)
    left = [trial for trial in plan.trials if trial.trial_id not in finished | failed]
    words = f"[bold]{escape(plan.name)}[/]: {standing(len(ids), len(finished), len(failed))}."
    if plan.duplicates:
        words += f" {counted(plan.duplicates, 'repetition')} in the file left out."
    print_words(console, words)
    if failed:
        console.print("failed trials run again with: qhn sweep run FILE --retry-failed")
    if not left:
        return
    results = ((trial.config, done.get(trial.trial_id)) for trial in plan.trials)
    # The time of a trial that was stopped early says nothing about that of a whole one.
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


def _print_groups(console: Console, plan: Plan, finished: set[str], failed: set[str]) -> None:
    groups: dict[str, TrialConfig] = {}
    planned, over, broken = Counter[str](), Counter[str](), Counter[str]()
    for trial in plan.trials:
        groups.setdefault(trial.group_id, trial.config)
        planned[trial.group_id] += 1
        over[trial.group_id] += trial.trial_id in finished
        broken[trial.group_id] += trial.trial_id in failed
    settings = factor_table(groups)
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
