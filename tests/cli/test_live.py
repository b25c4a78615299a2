import io

from rich.console import Console

from qhn.cli.live import _View, live_view, status_line
from qhn.sweeps.plan import make_plan
from qhn.sweeps.running.board import Board
from qhn.sweeps.spec import parse_spec

SPEC = "{name: t, datasets: [moons], objectives: [mle, {name: elbo, lambda: [%s]}], seeds: 2}"


def plan(strengths):
    return make_plan(parse_spec(SPEC % ", ".join(map(str, strengths)), "test")).trials


def screen(board, height=40):
    console = Console(file=io.StringIO(), width=100, height=height, force_terminal=False)
    console.print(_View(board, console))
    return console.file.getvalue()


def test_the_table_follows_the_board():
    trials = plan([1])
    first, second, *rest = (trial.trial_id for trial in trials)
    board = Board(trials, {first: 0.75}, {second})
    board.move(rest[0], "running")
    text = screen(board)
    assert [line.split()[:3] for line in text.splitlines() if "1/2" in line] == [
        ["│", "moons", "mle"]
    ]
    assert "0.750" in text
    assert "1/4 trials finished, 1 running, 1 failed" in status_line(board)


def test_accuracies_of_a_group_are_spread():
    trials = plan([1])
    board = Board(trials, {}, set())
    for trial, accuracy in zip(trials, (0.5, 0.6, 0.7, 0.8), strict=True):
        board.move(trial.trial_id, "running")
        board.move(trial.trial_id, "finished", accuracy)
    assert board.count("finished") == 4
    assert "0.600 ± 0.141" in screen(board)
    assert board.seconds_left() == 0


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
    assert "training: 0/4 trials finished" in console.file.getvalue()
