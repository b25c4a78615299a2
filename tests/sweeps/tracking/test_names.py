import getpass

from tracked_examples import plan_of

from qhn.sweeps.tracking.names import group_names, source_tags, trial_name

VARIED = """
name: NAME
datasets: [moons]
objectives: [{name: selbo, lambda: [30, 100], bandwidth: [2, 3]}]
seeds: SEEDS
"""


def test_what_varies_comes_first():
    assert sorted(group_names(plan_of("any", spec=VARIED)).values()) == [
        "lambda=100 h=2 moons selbo",
        "lambda=100 h=3 moons selbo",
        "lambda=30 h=2 moons selbo",
        "lambda=30 h=3 moons selbo",
    ]


def test_a_group_alone_keeps_its_label():
    plan = plan_of("any", spec=VARIED.replace("[30, 100]", "30").replace("[2, 3]", "2"))
    assert list(group_names(plan).values()) == ["moons selbo lambda=30"]


def test_names_are_unique_where_four_digits_are_too_few():
    plan = plan_of("any", spec=VARIED.replace("[30, 100]", "[1.00001, 1.00002]"))
    names = group_names(plan)
    assert len(set(names.values())) == len(names) == 4
    assert all(name.startswith("lambda=1.0000") for name in names.values())


def test_trials_of_a_group_differ_by_their_seed():
    assert trial_name("lambda=30 moons", 3) == "seed=3 lambda=30 moons"
    assert trial_name("lambda=30 moons", 3, 0) == "seed=3 data-seed=0 lambda=30 moons"


def test_a_user_without_a_name_is_unknown(monkeypatch):
    def nameless():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    source_tags.cache_clear()
    try:
        assert source_tags()["mlflow.user"] == "unknown"
    finally:
        source_tags.cache_clear()
