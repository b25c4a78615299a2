import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = "{name: t, datasets: [moons], objectives: [mle], seeds: 2, time_limit: %s}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("600", 600), ("0.5", 0.5), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("0.25s", 0.25)],
)
def test_times_are_seconds_or_have_a_unit(text, seconds):
    assert make_plan(parse_spec(SPEC % text)).time_limit == seconds


def test_a_time_limit_changes_no_trial():
    limited = make_plan(parse_spec(SPEC % "10m"))
    free = make_plan(parse_spec(SPEC.replace(", time_limit: %s", "")))
    assert limited.trials == free.trials
    assert free.time_limit is None
