import pytest

from qhn.cli.words import duration, plus_minus


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (4000, "1:06:40"), (-1, "0:00")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_spread_over_seeds():
    assert plus_minus([]) == ""
    assert plus_minus([0.5]) == "0.500"
    assert plus_minus([0.5, 0.7]) == "0.600 ± 0.141"
