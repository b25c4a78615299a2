"""The results of a sweep's trials. If the sweep has stopped a trial early, that counts for it."""

from __future__ import annotations

from collections.abc import Mapping

from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.store import Store, TrialResult


def outcomes(plan: Plan, store: Store) -> dict[str, TrialResult]:
    """The results of the plan's trials that have ended, by trial id, in the order of the plan.

    If the sweep has stopped a trial early, its result for this sweep is the one at the stop.
    Another sweep may have trained the same trial further meanwhile, but what other sweeps do must
    not change the numbers of this one.

    Args:
        plan: the plan of the sweep.
        store: where trials are kept.

    Raises:
        StoreError: if the store cannot be read.
    """
    return as_counted(plan, store, store.results(trial.trial_id for trial in plan.trials))


def as_counted(
    plan: Plan, store: Store, results: Mapping[str, TrialResult]
) -> dict[str, TrialResult]:
    """The results of the plan's trials, where early stops of this sweep replace other results.

    Args:
        plan: the plan of the sweep.
        store: where trials are kept, and the stops of the sweep.
        results: the results of trials that were trained to their end, by trial id.

    Raises:
        StoreError: if the store cannot be read.
    """
    counted = dict(results)
    if plan.early_stopping is not None:
        counted |= store.sweep(plan.name).stops(plan.early_stopping.content())
    return {t.trial_id: counted[t.trial_id] for t in plan.trials if t.trial_id in counted}
