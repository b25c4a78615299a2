import pytest

from qhn.cli.words import duration, plus_minus, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (4000, "1:06:40"), (-1, "0:00")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (2**50, "1024.0 TiB")]
)
def test_size(n_bytes, text):
    assert size(n_bytes) == text


def test_spread_over_seeds():
    assert plus_minus([]) == ""
    assert plus_minus([0.5]) == "0.500"
    assert plus_minus([0.5, 0.7]) == "0.600 ± 0.141"
