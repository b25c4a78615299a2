import pytest

from qhn.sweeps.trial.answering import PIECE_SECONDS, answer_seconds, work_until_answer
from qhn.sweeps.trial.session import Progress


class Session:
    """Takes a second for each piece of work, or a little more, and has finished after some."""

    def __init__(self, pieces, second=1.0):
        self.pieces, self.second = pieces, second
        self.now, self.done = 50.0, 0

    def work(self, seconds):
        assert seconds == PIECE_SECONDS
        self.now += self.second
        self.done += 1
        return Progress(10 * self.done, self.done == self.pieces, {"nll": 1 / self.done}, 0.75)


@pytest.mark.parametrize(
    ("pieces", "second", "seconds", "done"),
    [
        (100, 1.0, 1.0, 1),  # with few trials, after each piece
        (100, 1.1, 1.0, 1),
        (100, 1.0, 10.0, 10),
        (100, 1.1, 10.0, 10),
        (100, 30.0, 10.0, 1),  # one step may take longer than that
        (4, 1.0, 10.0, 4),  # the end comes first
    ],
)
def test_a_trial_answers_when_it_is_due_or_over(pieces, second, seconds, done):
    session = Session(pieces, second)
    progress = work_until_answer(session, seconds, lambda: session.now)
    assert progress == Progress(10 * done, done == pieces, {"nll": 1 / done}, 0.75 * done)


def test_more_trials_answer_more_rarely_but_never_more_often_than_they_are_saved():
    assert [answer_seconds(live) for live in (1, 100, 250, 1000)] == [1.0, 1.0, 2.5, 10.0]
