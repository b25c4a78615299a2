from types import SimpleNamespace

import pytest

from qhn.sweeps.driver.scheduler import PatientScheduler


def add(scheduler, states, lane="simulator", first=0):
    for number, state in enumerate(states, first):
        trial = SimpleNamespace(trial_id=str(number), status=state, config={"lane": lane})
        scheduler.on_trial_add(None, trial)


def scheduler_with(slots, states):
    scheduler = PatientScheduler({"simulator": slots})
    add(scheduler, states)
    return scheduler


@pytest.mark.parametrize(
    ("slots", "states", "chosen"),
    [
        # All other slots are at work: the oldest that waits.
        (1, ["PENDING", "PENDING"], "0"),
        (2, ["RUNNING", "PENDING", "PENDING"], "1"),
        # Another slot is starting its process for the oldest: that one keeps it.
        (2, ["PENDING", "PENDING", "PENDING"], "1"),
        (4, ["RUNNING", "PENDING", "PENDING", "PENDING", "PENDING"], "3"),
        # Nobody waits but for processes that are starting.
        (3, ["PENDING", "PENDING"], None),
        (2, ["RUNNING", "RUNNING"], None),
        (2, [], None),
    ],
)
def test_a_free_process_leaves_trials_whose_own_is_starting(slots, states, chosen):
    trial = scheduler_with(slots, states).choose_trial_to_run(None)
    assert (None if trial is None else trial.trial_id) == chosen


def test_slots_are_counted_lane_by_lane():
    scheduler = PatientScheduler({"simulator": 2, "qpu": 1})
    # The simulators' lane has all its slots at work; the other has one waiting for its only one.
    add(scheduler, ["RUNNING", "RUNNING", "PENDING"])
    add(scheduler, ["PENDING", "PENDING"], lane="qpu", first=3)
    chosen = {scheduler.choose_trial_to_run(None).trial_id for _ in range(4)}
    assert chosen == {"2", "3"}
    # Both lanes are asked in turn: neither is served only when the other has nothing.
    turns = [scheduler.choose_trial_to_run(None).trial_id for _ in range(4)]
    assert turns in (["2", "3"] * 2, ["3", "2"] * 2)


def test_trials_that_are_over_are_forgotten():
    scheduler = scheduler_with(1, ["PENDING"] * 4)
    trials = list(scheduler._waiting["simulator"].values())
    scheduler.on_trial_complete(None, trials[0], {})
    scheduler.on_trial_error(None, trials[1])
    scheduler.on_trial_remove(None, trials[2])
    assert scheduler.choose_trial_to_run(None) is trials[3]
    # A trial whose process died is added again, behind the others.
    scheduler.on_trial_add(None, trials[1])
    assert scheduler.choose_trial_to_run(None) is trials[3]


def test_trials_that_begin_to_run_take_slots_until_they_are_over():
    scheduler = scheduler_with(2, ["PENDING"] * 4)
    trials = list(scheduler._waiting["simulator"].values())
    # The oldest has a process that is starting, and the one that has just begun is not the oldest.
    trials[1].status = "RUNNING"
    assert scheduler.choose_trial_to_run(None) is trials[0]
    trials[0].status = "RUNNING"
    assert scheduler.choose_trial_to_run(None) is trials[2]
    for trial in trials[:2]:
        trial.status = "TERMINATED"
        scheduler.on_trial_complete(None, trial, {})
    # Both slots are free: one starts its process for the oldest that waits.
    assert scheduler.choose_trial_to_run(None) is trials[3]
