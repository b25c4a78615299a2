"""Trials that take too long, with a clock that the test moves."""

import pytest

from qhn.sweeps.driver.time_limit import TimeLimit


class Driver:
    """A driver whose turns take a quarter of a second."""

    def __init__(self, seconds):
        self.now, self.ended = 0.0, []
        self.limit = TimeLimit(seconds, self.ended.append, lambda: self.now)

    def turns(self, seconds):
        for _ in range(round(4 * seconds)):
            self.now += 0.25
            self.limit.look()


@pytest.fixture
def driver():
    driver = Driver(10.0)
    driver.limit.begins("a", "process of a")
    return driver


def test_a_trial_of_which_nothing_is_heard_is_ended(driver):
    driver.limit.begins("b", "process of b")
    driver.turns(8)
    driver.limit.heard("b", 0.5, 1)
    assert driver.ended == []
    driver.turns(4)
    assert driver.ended == ["process of a"]
    driver.turns(4)  # it is ended once
    assert driver.ended == ["process of a"]
    assert driver.limit.why_ended("b") is None
    why = driver.limit.why_ended("a")
    assert "time_limit = 10 s" in why
    assert "at step 0 this one had worked for 11 s" in why
    assert "for the last 11 s" in why


def test_a_trial_that_trains_for_too_long_is_ended(driver):
    for second in range(10):
        driver.turns(1)
        assert driver.ended == []
        driver.limit.heard("a", 1.0, second)
    driver.turns(1)
    assert driver.ended == ["process of a"]
    assert "at step 9" in driver.limit.why_ended("a")


def test_a_trial_that_waits_in_a_queue_does_not_work(driver):
    for _ in range(100):
        driver.turns(1)
        driver.limit.heard("a", 0.05, 1)
    assert driver.ended == []


def test_a_driver_that_was_paused_has_paused_its_trials(driver):
    driver.turns(2)
    driver.now += 3600
    driver.limit.look()
    assert driver.ended == []
    driver.turns(5)
    assert driver.ended == ["process of a"]


def test_time_counts_over_all_processes_of_a_trial_but_not_between_them(driver):
    driver.turns(1)
    driver.limit.heard("a", 6.0, 1)
    driver.limit.leaves("a")
    driver.turns(100)
    assert driver.ended == []
    driver.limit.begins("a", "second process of a")
    driver.turns(3)
    assert driver.ended == []
    driver.turns(2)
    assert driver.ended == ["second process of a"]


def test_a_trial_that_is_over_is_forgotten(driver):
    driver.turns(9)
    driver.limit.over("a")
    driver.turns(9)
    assert driver.ended == [] and driver.limit.why_ended("a") is None


def test_without_a_limit_nothing_is_ended():
    driver = Driver(None)
    driver.limit.begins("a", "process of a")
    driver.turns(1000)
    assert driver.ended == []
