"""What a run says about its lanes: where trials are, what was spent, and how idle a lane was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qhn.lanes import Usage
from qhn.sweeps.driver.lane_board import LaneBoard
from qhn.sweeps.driver.lane_summary import idle_share
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.trial.lane_use import LaneUse

SPEC = """
name: t
datasets: [moons]
objectives: [mle]
devices: [exact, {name: rehearsal, shots: 8, label: qpu-a}]
lanes: {qpu: {devices: [qpu-a]}}
seeds: 3
"""
PLAN = make_plan(parse_spec(SPEC, "test"))
ONE, TWO, THREE = (trial.trial_id for trial in PLAN.trials if trial.lane == "qpu")
SIMULATED = next(trial.trial_id for trial in PLAN.trials if trial.lane is None)


def board():
    return LaneBoard(PLAN.lanes, PLAN.trials)


def test_a_lane_knows_where_each_of_its_trials_is():
    lanes = board()
    standing = lanes.standings["qpu"]
    assert lanes.of(SIMULATED) is None and lanes.of(ONE) is standing
    for trial in (ONE, TWO, THREE):
        standing.place(trial, "computing")
    standing.heard(ONE, LaneUse(shots=10).content("queued", "the queue is long"))
    standing.heard(TWO, LaneUse(shots=10).content("waiting for lease"))
    assert lanes.content()["lanes"]["qpu"]["states"] == {
        "computing": 1,
        "waiting for lease": 1,
        "queued": 1,
    }
    assert standing.content()["notes"] == ["the queue is long"]
    standing.heard(ONE, LaneUse(shots=20).content("computing"))
    standing.place(TWO, None)
    assert standing.content()["states"] == {"computing": 2}
    assert standing.content()["notes"] == []
    assert [number for _, number in standing.alive] == [1, 2, 3, 2]


def test_what_was_spent_counts_earlier_runs_and_no_trial_twice():
    standing = board().standings["qpu"]
    standing.spent_before({ONE: Usage(100, 10.0, 5.0), THREE: Usage(1, 1.0, 1.0)})
    assert standing.spent == Usage(101, 11.0, 6.0)
    # The account of a trial goes on from where its last run left it.
    standing.heard(ONE, LaneUse(shots=130, qpu_seconds=13.0, cost=6.0).content())
    assert standing.spent == Usage(131, 14.0, 7.0)


def test_accounts_that_change_leave_no_rounding_error():
    standing = board().standings["qpu"]
    for trial, amount in ((ONE, 0.1), (TWO, 0.2), (THREE, 0.3), (ONE, 1e6), (ONE, 0.1)):
        standing.heard(trial, LaneUse(qpu_seconds=amount, cost=amount).content())
    assert standing.spent == Usage(0, 0.6, 0.6)
    for trial in (ONE, TWO, THREE):
        standing.heard(trial, LaneUse().content())
    assert standing.spent == Usage()


def test_what_was_spent_is_not_added_up_anew_in_every_turn(monkeypatch):
    made = []

    def usage(*amounts):
        made.append(amounts)
        return Usage(*amounts)

    standing = board().standings["qpu"]
    for number in range(100):
        standing.heard(str(number), LaneUse(shots=1).content())
    monkeypatch.setattr("qhn.sweeps.driver.lane_board.Usage", usage)
    assert standing.content()["spent"]["shots"] == 100
    assert len(made) == 1


def test_trials_without_budget_are_counted_in_their_lane():
    lanes = board()
    lanes.paused[TWO] = "spent"
    assert lanes.content()["lanes"]["qpu"]["paused"] == 1
    assert lanes.content()["paused"] == {TWO: "spent"}


@pytest.mark.parametrize(
    ("jobs", "alive", "most", "together", "share"),
    [
        ([], [(0.0, 2)], 2, 1, None),
        ([(0.0, 4.0)], [(0.0, 1)], 2, 1, 0.0),
        # There could have been a second job all the time.
        ([(0.0, 4.0)], [(0.0, 2)], 2, 1, 1.0),
        # The steps of both trials go out in one job.
        ([(0.0, 4.0)], [(0.0, 2)], 2, 2, 0.0),
        ([(0.0, 1.0), (3.0, 4.0)], [(0.0, 1)], 2, 1, 0.5),
        # The second trial ended after one second.
        ([(0.0, 4.0)], [(0.0, 2), (1.0, 1)], 2, 1, 0.25),
    ],
)
def test_a_lane_idles_while_it_has_fewer_jobs_than_it_could_have(
    jobs, alive, most, together, share
):
    assert idle_share(jobs, alive, most, together) == share


@given(
    jobs=st.lists(st.tuples(st.floats(0, 100), st.floats(0.5, 50)), min_size=1, max_size=20),
    alive=st.lists(st.tuples(st.floats(0, 150), st.integers(0, 9)), max_size=10),
    most=st.integers(1, 6),
)
def test_an_idle_share_is_a_share_and_grows_with_what_a_lane_allows(jobs, alive, most):
    intervals = [(begin, begin + length) for begin, length in jobs]
    share = idle_share(intervals, sorted(alive), most)
    assert 0.0 <= share <= 1.0 + 1e-12
    assert share <= idle_share(intervals, sorted(alive), most + 1) + 1e-12
