"""What groups share and what varies, as tables show it."""

from __future__ import annotations

from qhn.sweeps.planning.factors import factor_table
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec


def table(**changes):
    entries = {"name": "x", "datasets": "[moons]", "objectives": "[mle]", "seeds": "2", **changes}
    text = "\n".join(f"{key}: {value}" for key, value in entries.items())
    plan = make_plan(parse_spec(text))
    return factor_table({trial.group_id: trial.config for trial in plan.trials})


def rows(found):
    return [tuple(cells.get(title, "") for title in found.titles) for cells in found.cells.values()]


def test_one_group_shares_everything_with_itself():
    found = table()
    assert found.titles == ()
    assert found.shared == {
        "dataset": "moons",
        "noise": "0.1",
        "train": "100",
        "test": "1000",
        "data seed": "0",
        "network": "mlp",
        "hidden": "3",
        "entangler": "brickwork",
        "depth": "2",
        "order": "entanglers-first",
        "objective": "mle",
        "learning rate": "0.1",
        "device": "exact",
        "steps": "250",
        "optimiser": "adam",
        "report every": "10",
        "best of": "64",
    }


def test_what_varies_is_a_column_and_nothing_else_is():
    found = table(
        datasets="[moons, ring]", objectives="[mle, {name: elbo, lambda: [1, 3]}]", devices="exact"
    )
    assert found.titles == ("dataset", "objective", "λ")
    assert rows(found)[:3] == [("moons", "mle", ""), ("moons", "elbo", "1"), ("moons", "elbo", "3")]
    assert not set(found.titles) & set(found.shared)


def test_what_some_groups_do_not_have_is_said_of_the_others_alone():
    found = table(
        datasets="[gaussian, moons, ring]",
        objectives="[mle, {name: elbo, lambda: [1, 3]}, {name: selbo, lambda: 1}]",
    )
    assert found.shared["noise"] == "0.1 (moons, ring)"
    assert (found.shared["h"], found.shared["prior samples"]) == (
        "3.5 (selbo)",
        "closed-form (selbo)",
    )
    assert found.shared["train"] == "100"


def test_values_that_belong_to_something_are_named_with_it():
    found = table(datasets="[moons, digits]", networks="[logistic]")
    assert found.shared["test"] == "1000 (moons), 260 (digits)"
    found = table(ansatze="[brickwork, chain]")
    assert found.shared["order"] == "entanglers-first (brickwork), rotations-first (chain)"


def test_columns_come_in_the_order_of_the_labels_whatever_the_first_group_has():
    found = table(
        objectives="[mle, {name: selbo, lambda: [1, 3], bandwidth: [1, 2]}]",
        training="{learning_rate: [0.1, 0.2]}",
    )
    assert found.titles == ("objective", "λ", "h", "learning rate")


def test_no_two_groups_look_the_same():
    found = table(objectives="[{name: elbo, lambda: [1, 1.000001, 0.1]}]")
    assert rows(found) == [("1",), ("1.000001",), ("0.1",)]
    assert found.shared["noise"] == "0.1"
