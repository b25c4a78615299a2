"""A table is asked for before its first trial and let go after its last, whatever the order."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from qhn.sweeps.driver.table_use import TableUse
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

SPEC = "{name: t, datasets: [moons, ring], networks: [{hidden: 1}, {hidden: 2}], objectives: [mle]"
TRIALS = make_plan(parse_spec(f"{SPEC}, seeds: 3}}")).trials


class FakeTables:
    """Stands for the Ray actor's handle; knows which tables are there."""

    def __init__(self):
        self.there, self.released = set(), []
        self.prepare = SimpleNamespace(remote=lambda key, text: self.there.add(key))
        self.release = SimpleNamespace(remote=self._release)

    def _release(self, key):
        self.there.remove(key)
        self.released.append(key)


@given(st.permutations(TRIALS), st.permutations(TRIALS))
def test_tables_live_from_the_first_trial_to_the_last(comings, ends):
    tables = FakeTables()
    use = TableUse(TRIALS, tables, None)
    for trial in comings:
        use.coming(trial)
        assert trial.config.problem_key in tables.there
    left = list(ends)
    for trial in ends:
        left.remove(trial)
        use.over(trial)
        use.over(trial)  # a trial that is told of twice is over once
        assert tables.there == {other.config.problem_key for other in left}
    assert len(tables.released) == len(set(tables.released)) == 4


def test_a_table_without_room_waits_until_another_is_let_go():
    tables = FakeTables()
    first, other = (
        TRIALS[0],
        next(t for t in TRIALS if t.config.problem_key != TRIALS[0].config.problem_key),
    )
    use = TableUse([first, other], tables, room=1)
    assert use.may_come(first)  # however large: one table must be there for anything to go on
    use.coming(first)
    assert use.may_come(first) and not use.may_come(other)
    use.over(first)
    assert use.may_come(other)
    roomy = TableUse([first, other], tables, room=10**9)
    roomy.coming(first)
    assert roomy.may_come(other)


def test_without_room_for_all_tables_they_come_in_the_order_of_the_plan():
    """Else two lanes could wait for each other: each for a table, and with one that it keeps."""
    of = {}
    for trial in TRIALS:
        of.setdefault(trial.config.problem_key, []).append(trial)
    (one, one_too, _), (two, two_too, _), *_ = of.values()
    use = TableUse([one, two, one_too, two_too], FakeTables(), room=1)
    # A fast lane comes to its trial of the second problem before a slow one has begun the first.
    assert not use.may_come(two)
    use.coming(one)
    use.over(one)
    assert not use.may_come(two) and use.may_come(one_too)
    use.over(one_too)
    assert use.may_come(two)


def test_a_table_that_no_trial_needs_any_more_is_not_waited_for():
    tables = FakeTables()
    first, other = TRIALS[0], TRIALS[1]
    assert first.config.problem_key != other.config.problem_key
    use = TableUse([first, other], tables, room=1)
    use.over(first)  # it failed with its parent, before it began
    assert use.may_come(other)
    assert tables.released == []
