import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from qhn.cli.live import _View, live_view, status_line
from qhn.sweeps.driver.board import Board
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = "{name: t, datasets: [moons], objectives: [mle, {name: elbo, lambda: [%s]}], seeds: 2}"


def plan(strengths):
    return make_plan(parse_spec(SPEC % ", ".join(map(str, strengths)), "test")).trials


def screen(board, height=40, width=100):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(_View(board, console))
    return console.file.getvalue()


def test_the_table_follows_the_board():
    trials = plan([1])
    first, second, *rest = (trial.trial_id for trial in trials)
    board = Board(trials, {first: 0.75}, {second})
    board.move(rest[0], "running")
    text = screen(board)
    (row,) = (line.split() for line in text.splitlines() if "1/2" in line)
    assert row == ["moons", "mle", "1/2", "1", "0.750"]
    assert "1 of 4 trials finished, 1 running, 1 failed" in status_line(board)


def test_accuracies_of_a_group_are_spread():
    trials = plan([1])
    board = Board(trials, {}, set())
    for trial, accuracy in zip(trials, (0.5, 0.6, 0.7, 0.8), strict=True):
        board.move(trial.trial_id, "running")
        board.move(trial.trial_id, "finished", accuracy)
    assert board.count("finished") == 4
    assert "0.600 ± 0.141" in screen(board)
    assert board.seconds_left() == 0


def test_a_state_of_which_there_is_none_is_not_told():
    trials = plan([1])
    board = Board(trials, {}, set())
    assert status_line(board) == "starting: 0 of 4 trials finished"
    board.phase = "training"
    for trial in trials:
        board.move(trial.trial_id, "running")
        board.move(trial.trial_id, "finished", 0.5)
    assert status_line(board) == "training: 4 of 4 trials finished"
    assert status_line(Board(trials[:1], {}, set())) == "starting: 0 of 1 trial finished"


def test_many_groups_fit_the_screen():
    trials = plan(range(1, 60))
    board = Board(trials, {}, set())
    board.move(trials[50].trial_id, "running")
    text = screen(board, height=20)
    assert len(text.splitlines()) <= 20
    assert trials[50].group in text
    assert "more groups" in text


def test_without_a_terminal_there_are_plain_lines():
    trials = plan([1])
    board = Board(trials, {}, set())
    board.phase = "training"
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    with live_view(board, console):
        pass
    assert "training: 0 of 4 trials finished" in console.file.getvalue()


def test_long_labels_leave_room_for_the_numbers():
    spec = Path(__file__).parents[2] / "sweeps" / "mmd-bandwidth.yaml"
    trials = make_plan(parse_spec(spec.read_text(), "test")).trials
    board = Board(trials, {trial.trial_id: 0.5 for trial in trials[:80]}, set())
    for width in (60, 80):
        lines = screen(board, height=24, width=width).splitlines()
        assert len(lines) <= 24
        assert max(map(len, lines)) <= width
        rows = [line.split() for line in lines if line.lstrip().startswith("moons")]
        assert len(rows) >= 10
        assert {tuple(row[-4:]) for row in rows} == {("2/20", "0.500", "±", "0.000")}


def test_what_is_left_for_mlflow_is_counted():
    board = Board(plan([1]), {}, set())
    board.phase = "writing to MLflow"
    for left, words in ((7, ": 7 runs left"), (1, ": 1 run left"), (0, "")):
        board.unwritten = lambda left=left: left
        assert status_line(board) == f"writing to MLflow{words}"


def test_a_view_that_is_stopped_while_it_opens_prints_nothing_later(monkeypatch):
    begun = []

    def interrupted(thread):
        begun.append(thread)
        raise KeyboardInterrupt

    console = Console(file=io.StringIO(), force_terminal=False)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt), live_view(Board([], {}, set()), console):
            pass
    (thread,) = begun
    console.file.close()
    thread.run()  # begins late, after the terminal is closed
