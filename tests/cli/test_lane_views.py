"""How lanes look while a sweep runs, on a terminal and elsewhere, and at its end."""

import io
import json

from rich.console import Console

from qhn.cli.lane_report import print_lane_summaries
from qhn.cli.lane_words import lane_lines, lane_table, spent_text
from qhn.cli.live import _View
from qhn.lanes import Budget, Usage
from qhn.sweeps.driver.board import Board
from qhn.sweeps.driver.lane_board import LaneBoard
from qhn.sweeps.driver.lane_summary import LaneSummary
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.trial.lane_use import LaneUse

SPEC = """
name: t
datasets: [moons]
objectives: [mle]
devices: [exact, {name: rehearsal, shots: 8, label: qpu-a}]
lanes: {qpu: {devices: [qpu-a], budget: {qpu_seconds: 60}}}
seeds: 3
"""
PLAN = make_plan(parse_spec(SPEC, "test"))
QUEUED = [trial.trial_id for trial in PLAN.trials if trial.lane == "qpu"]


def running():
    board = Board(PLAN.trials, {}, set(), LaneBoard(PLAN.lanes, PLAN.trials))
    standing = board.lanes.standings["qpu"]
    use = LaneUse(shots=500, qpu_seconds=4.25, cost=6.8)
    states = ("queued", "queued", "waiting for lease")
    for trial, state in zip(QUEUED, states, strict=True):
        board.move(trial, "running")
        standing.heard(trial, use.content(state))
    return board


def printed(thing, width=100):
    console = Console(file=io.StringIO(), width=width, height=40)
    console.print(thing)
    return console.file.getvalue()


def test_the_live_view_has_a_line_for_each_lane():
    board = running()
    text = printed(_View(board, Console(file=io.StringIO(), width=100, height=40)))
    (row,) = (line for line in text.splitlines() if line.strip().startswith("qpu"))
    assert " ".join(row.split()) == "qpu 1 2 12.75 of 60 QPU s, 20.40 rehearsed USD"
    # Where nothing waits for a budget, there is no column for it.
    assert "budget" not in text
    board.lanes.standings["qpu"].heard(QUEUED[0], LaneUse().content("waiting for budget", "wait"))
    assert "budget" in printed(lane_table(board.lanes)) and "wait" in printed(
        lane_table(board.lanes)
    )


def test_a_sweep_without_lanes_looks_as_before():
    assert lane_table(LaneBoard()) is None and lane_lines(LaneBoard()) == []


def test_plain_lines_say_it_in_words():
    lanes = running().lanes
    (line,) = lane_lines(lanes)
    assert "lane qpu: 1 waiting for a lease, 2 queued at the provider; spent 12.75 of 60" in line
    lanes.paused[QUEUED[0]] = "spent"
    assert "1 trial stopped for now: budget spent" in lane_lines(lanes)[1]


def test_only_what_is_limited_for_the_sweep_is_told_with_its_limit():
    spent = Usage(1500, 3.0, 2.5)
    assert spent_text(spent, None, "EUR") == "3 QPU s, 2.50 EUR"
    assert spent_text(spent, Budget(shots=2000), "EUR") == "1,500 of 2,000 shots, 3 QPU s, 2.50 EUR"
    assert spent_text(spent, Budget(cost=9.0, per="trial"), "EUR") == "3 QPU s, 2.50 EUR"


def test_the_report_says_what_a_run_did_and_what_it_left():
    lane = LaneSummary(
        name="qpu",
        queue="rehearsal-qpu-a",
        live_trials=6,
        jobs=12,
        steps=20,
        coalesced=5,
        failed_jobs=0,
        open_jobs=2,
        shots=4000,
        qpu_seconds=31.0,
        cost=49.6,
        currency="USD",
        waiting_s=1.25,
        queued_s=None,
        executing_s=0.5,
        idle_share=0.034,
        spent={},
        budget=None,
        paused=0,
    )
    console = Console(file=io.StringIO(), width=120)
    print_lane_summaries(console, [lane])
    text = console.file.getvalue()
    (row,) = (line for line in text.splitlines() if line.strip().startswith("qpu"))
    assert " ".join(row.split()) == "qpu 12 5 20 4,000 0:31 49.60 USD 1.2 s – 0.5 s 3%"
    assert "2 jobs may still be at the provider" in text


def test_the_doctor_looks_at_every_device_and_pays_only_if_asked(qhn):
    file = qhn.write(SPEC.replace("shots: 8", "shots: 8, speedup: 1000"))
    text = qhn("doctor", file)
    assert "exact: device: exact opens, with 14 qubits" in text
    assert "qpu-a: queue: the service answers" in text and "job" not in text.replace("its jobs", "")
    text = qhn("doctor", file, "--run-job")
    assert "gave 8 samples" in text and "QPU s were billed" in text


def test_the_doctor_says_what_is_wrong(qhn, monkeypatch):
    from qhn.core.errors import DeviceError
    from qhn.sweeps.trial import device_check

    def refuse(config, ticket):
        raise DeviceError("the credentials must be accepted, but they are not; save them")

    monkeypatch.setattr(device_check, "open_device", refuse)
    text = qhn("doctor", "--device", "rehearsal", code=2)
    assert "wrong" in text and "rehearsal: device: the credentials must be accepted" in text
    assert "but got both" in qhn("doctor", qhn.write(SPEC), "--device", "rehearsal", code=2)
    assert json.dumps("must be one of")[1:-1] in qhn("doctor", "--device", "nope", code=2)
