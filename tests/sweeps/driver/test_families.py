"""Children begin after their parents, and fail with them."""

from dataclasses import replace

import pytest

from qhn.sweeps.driver.families import Families, fails_with, orphans
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = "{name: t, datasets: [moons], objectives: [mle], seeds: 4}"
FIRST, SECOND, THIRD, ALONE = make_plan(parse_spec(SPEC, "test")).trials
CHILD = replace(SECOND, parent=FIRST.trial_id)
GRANDCHILD = replace(THIRD, parent=SECOND.trial_id)


def test_a_child_may_begin_when_its_parent_has_finished():
    families = Families([FIRST, CHILD, ALONE], finished=())
    assert families.may_begin(FIRST) and families.may_begin(ALONE)
    assert not families.may_begin(CHILD)
    assert families.has_children(FIRST) and not families.has_children(ALONE)
    families.has_finished(FIRST.trial_id)
    assert families.may_begin(CHILD)


def test_a_parent_that_finished_in_an_earlier_run_counts():
    assert Families([CHILD], finished={FIRST.trial_id}).may_begin(CHILD)


@pytest.mark.parametrize(
    ("left", "finished", "found"),
    [
        ([FIRST, CHILD], (), []),
        ([CHILD], {FIRST.trial_id}, []),
        ([CHILD, ALONE], (), [CHILD]),
        # A grandchild is one too: its parent is left, but will never begin.
        ([GRANDCHILD, CHILD, ALONE], (), [CHILD, GRANDCHILD]),
    ],
)
def test_orphans_are_those_whose_parent_will_never_finish(left, finished, found):
    assert orphans(left, finished) == found


def test_the_error_of_a_child_names_its_parent_and_why_that_failed():
    error = fails_with("0123 (moons)", "no memory\nand many lines")
    assert "0123 (moons), has failed: no memory" in error.message
    assert "lines" not in error.message
