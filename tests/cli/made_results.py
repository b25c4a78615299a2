"""A sweep whose results were not trained but made up, so that tables can be worked out by hand."""

from __future__ import annotations

from qhn.core.metrics import METRICS
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.statistics import summarise
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialError, TrialResult

TEXT = """
name: made
description: Numbers that nobody trained.
datasets: [moons, ring]
objectives: [mle, {name: elbo, lambda: [1, {schedule: exponential, start: 30, end: 0.3}]}]
seeds: 2
"""
PLAN = make_plan(parse_spec(TEXT))
FADING = "elbo lambda=30->0.3"
# Of each group: test accuracies of its two seeds (None: it has not ended; text: why it failed), and
# the nll that all its seeds have.
MADE = {
    "moons mle": ((0.80, 0.82), 0.3),
    "moons elbo lambda=1": ((0.90, 0.92), 0.5),
    f"moons {FADING}": ((0.90, 0.90), 0.4),
    "ring mle": ((0.70, 0.60), 0.6),
    "ring elbo lambda=1": ((0.99, None), 0.7),
    f"ring {FADING}": ((0.66, "it diverged"), 0.8),
}


def result(trial, accuracy, nll, **changes):
    """A result with one accuracy for all readings; MMD² is so small that it needs powers of ten."""
    metrics = {metric.name: 0.25 for metric in METRICS}
    metrics |= {metric.name: accuracy for metric in METRICS if "_accuracy_" in metric.name}
    metrics |= {"nll": nll, "mmd2": 6.12e-5}
    made = {"status": "finished", "steps": 250, "flags": {}, "top_strings": ()}
    times = {"training_seconds": 1.0, "started_ms": 0, "finished_ms": 1000}
    return TrialResult(trial.trial_id, metrics=metrics, **(made | times | changes))


def results_and_errors(made=MADE, plan=PLAN):
    """Results and errors by trial id."""
    results, errors = {}, {}
    for trial in plan.trials:
        values, nll = made[trial.group]
        value = values[trial.config.seed]
        if isinstance(value, str):
            errors[trial.trial_id] = TrialError(value, "", 1, {})
        elif value is not None:
            results[trial.trial_id] = result(trial, value, nll)
    return results, errors


def rows(made=MADE):
    """The sweep's rows."""
    return make_rows(PLAN.trials, *results_and_errors(made))


def groups(made=MADE):
    """The sweep's summaries."""
    return summarise(rows(made))


def keep(store):
    """Lay the sweep down in a store."""
    store.sweep("made").save_file(TEXT)
    results, errors = results_and_errors()
    for found in results.values():
        store.save_result(found)
    for trial_id, error in errors.items():
        store.save_error(trial_id, error)
