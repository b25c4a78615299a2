"""Progress where a program runs: a terminal, a notebook, a file, or nobody."""

import io
import re
import sys
import threading
import types

import pytest

from qhn.api.progress import line, shown
from qhn.sweeps.driver.board import Board
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

TRIALS = make_plan(parse_spec("{name: p, datasets: moons, objectives: mle, seeds: 3}")).trials


class Said(io.StringIO):
    """A stream that notices what is written, so that no test has to wait by the clock."""

    def __init__(self, terminal=False):
        super().__init__()
        self.heard = threading.Condition()
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    def write(self, text):
        with self.heard:
            self.heard.notify_all()
            return super().write(text)

    def wait_for(self, words):
        with self.heard:
            assert self.heard.wait_for(lambda: words in self.getvalue(), timeout=60)


@pytest.fixture
def board():
    return Board(TRIALS, {}, set())


def test_a_line_says_how_far_it_is(board):
    assert line(board) == "starting: 0 of 3 trials finished, 0 running"
    board.phase = "training"
    board.move(TRIALS[0].trial_id, "finished", 0.9)
    board.move(TRIALS[1].trial_id, "failed")
    board.move(TRIALS[2].trial_id, "running")
    expected = r"training: 1 of 3 trials finished, 1 running, 1 failed, \d:\d\d:\d\d left"
    assert re.fullmatch(expected, line(board))
    board.phase, board.unwritten = "writing to MLflow", lambda: 2
    assert line(board) == "writing to MLflow: 2 runs left"


def test_without_a_terminal_each_phase_is_a_line(board, monkeypatch):
    stream = Said()
    monkeypatch.setattr(sys, "stderr", stream)
    with shown(True) as view, view(board, sys.stdout):
        stream.wait_for("starting:")
        board.phase = "training"
        stream.wait_for("training:")
    assert stream.getvalue().count("\n") == 2
    assert threading.active_count() == 1 or "qhn-progress" not in str(threading.enumerate())


def test_a_terminal_has_a_bar(board, monkeypatch):
    stream = Said(terminal=True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with shown(True) as view, view(board, sys.stdout):
        board.move(TRIALS[0].trial_id, "finished", 0.9)
        stream.wait_for("1 of 3 trials finished")
    assert "━" in stream.getvalue()


def test_a_notebook_has_a_line_below_its_cell(board, monkeypatch):
    """As IPython's kernel shows itself; it is no dependency, so that it cannot be asked here."""
    shown_lines, changed = [], threading.Condition()

    class Handle:
        def update(self, data, raw):
            with changed:
                shown_lines.append(data["text/plain"])
                changed.notify_all()

    shell = type("ZMQInteractiveShell", (), {})()
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    display = types.ModuleType("IPython.display")
    display.display = lambda data, raw, display_id: Handle()
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    with shown(True) as view, view(board, sys.stdout):
        board.phase = "training"
        with changed:
            assert changed.wait_for(lambda: shown_lines[-1:] == [line(board)], timeout=60)


@pytest.mark.parametrize("stderr", [None, Said()])
def test_nothing_is_shown_to_nobody(board, monkeypatch, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)
    with shown(stderr is None) as view, view(board, sys.stdout):
        board.phase = "training"
    assert stderr is None or stderr.getvalue() == ""


def test_a_reader_that_has_gone_does_not_stop_the_sweep(board, monkeypatch):
    stream = Said()
    monkeypatch.setattr(sys, "stderr", stream)
    with shown(True) as view:
        stream.close()
        with view(board, sys.stdout):
            board.phase = "training"
