import pytest

from qhn.sweeps.driver.deaths import MOST_RESTARTS, RESTARTS, Deaths

WORKER_DIED = "The actor died because its worker process has died. Worker exit type: SYSTEM_ERROR"
NODE_DIED = "The actor died because its node has died. Node Id: 9e58710c"
UNAVAILABLE = "The actor 420f is unavailable: The actor is temporarily unavailable: RpcError"


def test_a_trial_whose_processes_die_on_a_living_machine_is_given_up():
    deaths = Deaths(lambda: {"one"})
    for _ in range(RESTARTS):
        deaths.note("trial", "one", WORKER_DIED)
        assert deaths.may_go_on("trial")
    deaths.note("trial", "one", WORKER_DIED)
    assert not deaths.may_go_on("trial")
    assert deaths.may_go_on("another")


@pytest.mark.parametrize("machines", [set(), {"one", "two"}])
def test_a_machine_that_is_not_known_counts_while_all_live_on(machines):
    deaths = Deaths(lambda: machines)
    for _ in range(RESTARTS + 1):
        deaths.note("trial", "", WORKER_DIED)
    assert not deaths.may_go_on("trial")


def test_a_machine_that_is_not_known_may_be_one_that_has_gone_since():
    """A trial that was lost before it had answered, again and again, as on spot instances."""
    living = {0, 1, 2}
    deaths = Deaths(lambda: set(map(str, living)))
    for number in range(5 * RESTARTS):
        deaths.note("trial", "", WORKER_DIED)
        living.remove(number)
        living.add(number + 3)
        assert deaths.may_go_on("trial")


@pytest.mark.parametrize("why", [NODE_DIED, UNAVAILABLE])
def test_the_end_of_a_machine_is_not_the_fault_of_a_trial(why):
    deaths = Deaths(lambda: {"one"})
    for _ in range(5 * RESTARTS):
        deaths.note("trial", "one", why)
    assert deaths.may_go_on("trial")


def test_a_death_stops_to_count_when_its_machine_is_found_to_be_gone():
    living = {"one", "two"}
    deaths = Deaths(lambda: living)
    for node in ["one", "two"] * RESTARTS:
        deaths.note("trial", node, "the process died")
    assert not deaths.may_go_on("trial")
    living.remove("two")
    assert deaths.may_go_on("trial")


def test_a_trial_that_takes_every_machine_down_ends_at_some_time():
    deaths = Deaths(set)
    for _ in range(MOST_RESTARTS):
        deaths.note("trial", "one", NODE_DIED)
    assert deaths.may_go_on("trial")
    deaths.note("trial", "one", NODE_DIED)
    assert not deaths.may_go_on("trial")
