"""Trials whose processes Ray has killed for want of memory."""

from types import SimpleNamespace

import pytest

from qhn.sweeps.driver import callback as callbacks
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.emission import Emission
from qhn.sweeps.driver.families import Families
from qhn.sweeps.driver.lane import simulator_lane
from qhn.sweeps.driver.nodes import nodes_of
from qhn.sweeps.driver.out_of_memory import is_out_of_memory, second_reservation
from qhn.sweeps.driver.placement import needed_bytes
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

TRIALS = make_plan(parse_spec("{name: t, datasets: [moons], objectives: [mle], seeds: 3}")).trials
FIRST, SECOND, _ = TRIALS
LANE = simulator_lane(2)
# What Ray 2.60 said when it had killed an actor of ours.
KILLED = (
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: "
    "127.0.0.1, ID: d8e79e92) was 3.32GB used / 23.54GB limit (0.141198)\nOOM kill reason: Memory "
    "usage 3608469504B exceeded threshold of 1744079104B (6.9% of 25276510208B limit)"
)
DIED = "The actor died because its worker process has died. Worker exit type: SYSTEM_ERROR"
GIB = 2**30


def node(memory, *, cpus=1.0, alive=True):
    return {
        "Alive": alive,
        "NodeID": "one",
        "NodeManagerHostname": "here",
        "NodeManagerAddress": "here",
        "Resources": {"CPU": cpus, "memory": float(memory)},
    }


def again(*listed):
    return second_reservation(FIRST, LANE, nodes_of(listed))


def test_only_what_ray_says_of_memory_is_taken_for_want_of_it():
    assert is_out_of_memory(KILLED)
    assert not is_out_of_memory(DIED)


def test_twice_as_much_is_reserved_but_not_more_than_the_largest_machine_has():
    wanted = again(node(64 * GIB))
    assert wanted == 2 * needed_bytes([FIRST])
    assert again(node(8 * GIB), node(GIB // 2)) == wanted
    assert again(node(GIB // 4), node(GIB // 2)) == GIB // 2
    assert again(node(GIB // 2), node(64 * GIB, alive=False)) == GIB // 2
    # A larger machine on which the trial cannot run is of no use.
    assert again(node(GIB // 2), node(64 * GIB, cpus=0)) == GIB // 2


@pytest.fixture
def driver(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks.ray, "nodes", lambda: [node(GIB // 2)])
    store = open_store(str(tmp_path / "store"))
    board, families = Board(TRIALS, {}, set()), Families(TRIALS, ())
    emission = Emission(TRIALS, lambda trial: LANE)
    callback = callbacks.DriverCallback(
        TRIALS,
        store,
        "t",
        None,
        {},
        {},
        SimpleNamespace(update=lambda trials: None),
        board,
        emission,
        lambda trial: None,
        families,
    )

    def dies(number, trial, why):
        said = tmp_path / "error.txt"
        said.write_text(f"Failure # 1 (occurred at 2026-12-01_03-00-00)\n{why}\n")
        tune = SimpleNamespace(config={"id": trial.trial_id}, error_file=str(said))
        callback.on_trial_error(1, [], tune)
        emission.on_trial_complete(number)

    return SimpleNamespace(emission=emission, board=board, store=store, dies=dies)


def test_a_trial_that_was_killed_for_want_of_memory_is_tried_once_more_with_more(driver):
    assert "memory" not in driver.emission.suggest("a")
    driver.dies("a", FIRST, KILLED)
    (note,) = driver.board.notes
    assert FIRST.trial_id in note and "512 MiB" in note
    handed_over = [driver.emission.suggest(number) for number in "bcd"]
    (second,) = [config for config in handed_over if config["id"] == FIRST.trial_id]
    assert second["memory"] == GIB // 2
    assert second["lane"] == LANE.roomy.name != LANE.name
    assert sum("memory" in config for config in handed_over) == 1
    driver.dies("bcd"[handed_over.index(second)], FIRST, KILLED)
    (error,) = driver.store.outcomes([t.trial_id for t in TRIALS]).errors.values()
    assert "killed this one twice" in error.message
    assert "3.32GB used / 23.54GB of its machine" in error.message
    assert "with 512 MiB reserved" in error.message and "--cpus" in error.message
    assert driver.board.count("failed") == 1


def test_such_trials_run_one_after_the_other(driver):
    numbers = ["a", "b"]
    for number in numbers:
        driver.emission.suggest(number)
    for number, trial in zip(numbers, (FIRST, SECOND), strict=True):
        driver.dies(number, trial, KILLED)
    handed_over = [driver.emission.suggest(number) for number in "cde"]
    lanes = [config["lane"] for config in handed_over if isinstance(config, dict)]
    assert sorted(lanes) == sorted([LANE.name, LANE.roomy.name])


def test_a_process_that_died_of_something_else_gets_no_more_memory(driver):
    driver.emission.suggest("a")
    driver.dies("a", FIRST, DIED)
    assert "memory" not in driver.emission.suggest("b")
    assert driver.board.notes == []


LONG = """
name: hungry
datasets: [{name: moons, train: 50, test: 50}]
networks: [{hidden: 2}]
objectives: [mle]
seeds: 1
training: {steps: 2000000, report_every: 20000}
"""


def test_ray_kills_a_trial_twice_and_the_sweep_says_what_helps(qhn):
    # To this Ray nearly all memory is always used, so that it kills whatever trains.
    qhn.environment |= {
        "RAY_memory_usage_threshold": "0.001",
        "RAY_memory_monitor_refresh_ms": "250",
    }
    file = qhn.write(LONG)
    output = " ".join(qhn.process("sweep", "run", file, "--cpus", 1, code=1).split())
    assert "it goes on from its checkpoint with" in output
    (error,) = qhn.store.outcomes(qhn.trials(file)).errors.values()
    assert "killed this one twice for want of memory (" in error.message
    assert error.message in output
