"""Arrays of several groups over what they have in common."""

from __future__ import annotations

import pytest

from qhn.core.errors import InvalidValueError
from qhn.reports.pairs import rectangle


def test_the_rectangle_has_common_tasks_and_as_many_common_seeds_everywhere():
    one = {"a": {0: 0.0, 1: 0.1, 2: 0.2}, "b": {3: 1.3, 1: 1.1}, "c": {0: 9.0}}
    other = {"b": {1: 2.1, 3: 2.3, 4: 9.0}, "a": {2: 3.2, 0: 3.0, 1: 3.1}}
    tasks, (first, second) = rectangle([one, other])
    assert tasks == ("a", "b")
    assert first.tolist() == [[0.0, 0.1], [1.1, 1.3]]
    assert second.tolist() == [[3.0, 3.1], [2.1, 2.3]]


@pytest.mark.parametrize("groups", [[], [{"a": {0: 1.0}}, {"a": {1: 1.0}}]])
def test_nothing_in_common_is_refused(groups):
    with pytest.raises(InvalidValueError, match="finish more trials"):
        rectangle(groups)
