"""Machines that are drained: who is asked to leave, and when."""

from qhn.sweeps.driver.draining import LOOK_EVERY_S, Draining


class Driver:
    """A driver that looks whenever it may, at machines that a test names."""

    def __init__(self):
        self.now, self.draining, self.asked, self.told, self.looks = 0.0, set(), [], [], 0
        self.trials = Draining(
            self._look, self.asked.append, self.told.append, clock=lambda: self.now
        )

    def _look(self):
        self.looks += 1
        return self.draining

    def look(self, **machines):
        self.now += LOOK_EVERY_S
        self.trials.look(machines)


def test_the_trials_of_a_drained_machine_are_asked_to_leave_once():
    driver = Driver()
    for name in ("a", "b", "c"):
        driver.trials.begins(name, f"process of {name}")
    driver.look(a="one", b="two", c="two")
    assert driver.asked == driver.told == []
    driver.draining = {"two"}
    driver.look(a="one", b="two", c="two")
    driver.look(a="one", b="two", c="two")
    assert driver.asked == ["process of b", "process of c"]
    assert driver.told == [["two"], ["two"]]


def test_a_trial_that_goes_on_elsewhere_is_asked_anew():
    driver = Driver()
    driver.trials.begins("a", "first")
    driver.draining = {"one", "two"}
    driver.look(a="one")
    driver.trials.leaves("a")
    driver.look(a="one")  # nothing has been heard from its new place yet
    driver.trials.begins("a", "second")
    driver.look()
    driver.look(a="three")
    driver.look(a="two")
    assert driver.asked == ["first", "second"]


def test_a_trial_that_is_over_is_left_alone():
    driver = Driver()
    driver.trials.begins("a", "process")
    driver.trials.leaves("a")
    driver.draining = {"one"}
    driver.look(a="one")
    assert driver.asked == []


def test_ray_is_asked_once_in_a_while():
    driver = Driver()
    driver.look()
    for _ in range(9):
        driver.now += LOOK_EVERY_S / 10
        driver.trials.look({})
    assert driver.looks == 1
