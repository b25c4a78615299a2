"""What the driver does about trials of lanes: children of a failed parent, and spent budgets."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.callback import DriverCallback
from qhn.sweeps.driver.emission import Emission
from qhn.sweeps.driver.families import Families
from qhn.sweeps.driver.lane import Lane
from qhn.sweeps.driver.lane_board import LaneBoard
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialError, open_store
from qhn.sweeps.trial.lane_use import LaneUse
from qhn.sweeps.trial.messages import Answer

SPEC = """
name: t
datasets: [moons]
objectives: [mle]
devices: [{name: rehearsal, shots: 8, label: qpu-a}]
seeds: 3
"""
PLAN = make_plan(parse_spec(SPEC, "test"))
PARENT, CHILD, GRANDCHILD = PLAN.trials
TRIALS = [
    replace(PARENT, lane=None),
    replace(CHILD, parent=PARENT.trial_id),
    replace(GRANDCHILD, parent=CHILD.trial_id),
]


@pytest.fixture
def driver(tmp_path):
    """The callback of a sweep whose trials were not handed over yet, and what it keeps."""
    store = open_store(str(tmp_path / "store"))
    board = Board(TRIALS, {}, set(), LaneBoard(PLAN.lanes, TRIALS))
    families = Families(TRIALS, ())
    lanes = {None: Lane("simulator", 1), "qpu-a": Lane("lane:qpu-a", 1)}
    emission = Emission(TRIALS, lambda t: lanes[t.lane], may_begin=families.may_begin)
    written, over = [], []
    writer = SimpleNamespace(update=written.extend)
    callback = DriverCallback(
        TRIALS, store, "t", None, {}, {}, writer, board, emission, over.append, families
    )

    def answer(trial, **content):
        told = Answer(trial.trial_id, **content)
        result = {"qhn": told.to_json(), "done": told.is_over, "step": 0}
        callback.on_trial_result(1, [], SimpleNamespace(config={"id": trial.trial_id}), result)

    return SimpleNamespace(
        answer=answer, board=board, emission=emission, store=store, over=over, written=written
    )


def test_a_failed_parent_fails_its_children_and_theirs(driver):
    assert driver.emission.suggest("a")["id"] == PARENT.trial_id
    driver.answer(PARENT, error=TrialError("no numbers", "", 1))
    driver.emission.on_trial_complete(trial_id="a")
    errors = driver.store.outcomes([t.trial_id for t in TRIALS]).errors
    assert errors[PARENT.trial_id].message == "no numbers"
    assert f"the parent, {PARENT.trial_id} (" in errors[CHILD.trial_id].message
    assert "has failed: no numbers" in errors[CHILD.trial_id].message
    assert f"the parent, {CHILD.trial_id} (" in errors[GRANDCHILD.trial_id].message
    assert driver.board.count("failed") == len(driver.over) == len(driver.written) == 3
    assert driver.emission.is_over


def test_a_trial_whose_budget_is_spent_is_neither_finished_nor_failed(driver):
    driver.answer(CHILD, lane=LaneUse(shots=8).content("queued"))
    assert driver.board.lanes.standings["qpu-a"].states["queued"] == 1
    driver.answer(CHILD, lane=LaneUse(shots=8).content(), paused="the budget is spent")
    assert driver.board.lanes.paused == {CHILD.trial_id: "the budget is spent"}
    assert driver.board.lanes.standings["qpu-a"].states.total() == 0
    assert driver.board.count("waiting") == 3 and driver.board.count("failed") == 0
    assert driver.store.outcomes([CHILD.trial_id]).errors == {}
    assert [trial.trial_id for trial in driver.over] == [CHILD.trial_id]
