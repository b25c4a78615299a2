"""Races worked by hand: who is stopped, and that each trial counts once."""

from types import SimpleNamespace

from ray.tune.schedulers import TrialScheduler

from qhn.sweeps.driver.early_stopping import GroupedAsha
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store

SPEC = """
name: r
datasets: [moons, ring]
objectives: [mle, {name: elbo, lambda: [1, 2, 3]}]
seeds: 1
training: {steps: 100, report_every: 10}
early_stopping: {kind: asha, metric: nll, grace_steps: 10, reduction_factor: 2}
"""
PLAN = make_plan(parse_spec(SPEC))


def race():
    return GroupedAsha(PLAN.early_stopping, PLAN.trials, {}, open_store("memory://r"), {"s": 2})


def tune_trial(planned, number):
    config = {"id": planned.trial_id, "trial": planned.config.to_json(), "lane": "s"}
    return SimpleNamespace(trial_id=f"tune-{number}", status="RUNNING", config=config)


def of(dataset, objective):
    return [
        trial
        for trial in PLAN.trials
        if (trial.config.dataset.name, trial.config.objective.name) == (dataset, objective)
    ]


def report(scheduler, trial, step, score):
    return scheduler.on_trial_result(None, trial, {"step": step, "qhn_score": score})


def test_trials_are_compared_with_their_own_kind_alone():
    scheduler = race()
    one, two, three = (tune_trial(t, n) for n, t in enumerate(of("moons", "elbo")))
    other = tune_trial(of("ring", "elbo")[0], 9)
    alone = tune_trial(of("moons", "mle")[0], 8)
    for trial in (one, two, three, other, alone):
        scheduler.on_trial_add(None, trial)
    # The first at a milestone has nobody to be worse than; the second is worse than the median.
    assert report(scheduler, one, 10, 0.3) == TrialScheduler.CONTINUE
    assert report(scheduler, two, 10, 0.9) == TrialScheduler.STOP
    assert report(scheduler, three, 10, 0.2) == TrialScheduler.CONTINUE
    # The worst of all, on other data or by another objective: first of its own race.
    assert report(scheduler, other, 10, 5.0) == TrialScheduler.CONTINUE
    assert report(scheduler, alone, 10, 5.0) == TrialScheduler.CONTINUE
    # Before the next milestone nothing is decided, however bad the score.
    assert report(scheduler, one, 19, 9.0) == TrialScheduler.CONTINUE


def test_a_trial_whose_process_died_counts_once():
    scheduler = race()
    planned = of("moons", "elbo")
    first = tune_trial(planned[0], 0)
    scheduler.on_trial_add(None, first)
    assert report(scheduler, first, 10, 0.9) == TrialScheduler.CONTINUE
    scheduler.on_trial_error(None, first)
    again = tune_trial(planned[0], 1)  # Tune gives it another id
    scheduler.on_trial_add(None, again)
    assert report(scheduler, again, 10, 0.9) == TrialScheduler.CONTINUE
    # Against two entries of 0.9 a score of 1.0 would lie above the median of three.
    (rungs,) = (bracket._rungs for bracket in scheduler._race(planned[0].config)._brackets)
    recorded = next(scores for milestone, scores in rungs if milestone == 10)
    assert recorded == {planned[0].trial_id: -0.9}
