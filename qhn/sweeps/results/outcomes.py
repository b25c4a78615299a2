"""How the trials of a sweep have ended, as that sweep counts them."""

from __future__ import annotations

from collections.abc import Mapping

from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.store import Store, TrialResult


def outcomes(plan: Plan, store: Store) -> dict[str, TrialResult]:
    """Results of the plan's trials that are over, by id, in the order of the plan.

    Where the sweep has stopped a trial early, the stop is its result there, whatever another sweep
    has made of the same trial meanwhile: a sweep's numbers do not change by what others do.

    Raises:
        StoreError: if the store cannot be read.
    """
    return as_counted(plan, store, store.results(trial.trial_id for trial in plan.trials))


def as_counted(
    plan: Plan, store: Store, results: Mapping[str, TrialResult]
) -> dict[str, TrialResult]:
    """Results of the plan's trials as the sweep counts them: its own stops come first.

    Args:
        plan: of the sweep.
        store: that keeps its stops.
        results: of trials that finished, by id.
    """
    counted = dict(results)
    if plan.early_stopping is not None:
        counted |= store.sweep(plan.name).stops(plan.early_stopping.content())
    return {t.trial_id: counted[t.trial_id] for t in plan.trials if t.trial_id in counted}
