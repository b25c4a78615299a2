from __future__ import annotations

import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec


def labels(**changes):
    entries = {"name": "x", "datasets": "[moons]", "objectives": "[mle]", "seeds": "1", **changes}
    text = "\n".join(f"{key}: {value}" for key, value in entries.items())
    return list(make_plan(parse_spec(text)).groups.values())


def test_what_does_not_vary_is_not_named():
    assert labels(ansatze="[{depth: 7}]") == ["moons mle"]
    assert labels(objectives="[{name: elbo, lambda: 1}]") == ["moons elbo lambda=1"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"datasets": "[moons, {name: moons, noise: 0.2}, ring]"},
            ["moons noise=0.1 mle", "moons noise=0.2 mle", "ring mle"],
        ),
        ({"datasets": "[moons, {name: moons, seed: 4}]"}, ["moons data-seed=0 mle"]),
        ({"networks": "[mlp, {hidden: 2}]"}, ["moons hidden=3 mle", "moons hidden=2 mle"]),
        ({"networks": "[mlp, logistic]"}, ["moons mlp mle", "moons logistic mle"]),
        ({"ansatze": "[chain, {depth: 3}]"}, ["moons chain depth=2 mle"]),
        (
            {"ansatze": "[chain, {entangler: chain, entanglers_first: true}]"},
            ["moons rotations-first mle", "moons entanglers-first mle"],
        ),
        ({"training": "{learning_rate: [0.1, 0.3]}"}, ["moons mle lr=0.1", "moons mle lr=0.3"]),
        (
            {"objectives": "[mle, {name: selbo, lambda: 30, bandwidth: [2, sqrt(n)]}]"},
            ["moons mle", "moons selbo lambda=30 h=2", "moons selbo lambda=30 h=3.742"],
        ),
        (
            {"objectives": "[{name: selbo, lambda: 3, prior_samples: [closed form, 64]}]"},
            ["moons selbo lambda=3 prior=closed-form", "moons selbo lambda=3 prior=64"],
        ),
        (
            {"objectives": "[{name: elbo, lambda: {schedule: exponential, start: 30, end: 0.3}}]"},
            ["moons elbo lambda=30->0.3"],
        ),
        (
            {
                "objectives": "[{name: elbo, lambda: [{schedule: warmup, value: 3}, "
                "{schedule: warmup, value: 3, over: 0.3}]}]"
            },
            ["moons elbo lambda=warmup:0->3 over=0.5", "moons elbo lambda=warmup:0->3 over=0.3"],
        ),
        (
            {
                "objectives": "[{name: elbo, lambda: [{schedule: cosine, start: 3, end: 0}, "
                "{schedule: cyclic, low: 0, high: 2}]}]"
            },
            ["moons elbo lambda=cosine:3->0", "moons elbo lambda=cyclic:0-2x4"],
        ),
    ],
)
def test_what_varies_is_named(changes, expected):
    assert labels(**changes)[: len(expected)] == expected


def test_values_that_four_digits_do_not_tell_apart_are_written_in_full():
    assert labels(objectives="[{name: elbo, lambda: [1, 1.000001]}]") == [
        "moons elbo lambda=1",
        "moons elbo lambda=1.0000009999999999",
    ]


def test_labels_are_unique_and_ascii():
    found = labels(
        datasets="[moons, ring, {name: ring, noise: 0.3}]",
        ansatze="[brickwork, chain, {depth: 4}]",
        objectives="[mle, {name: selbo, lambda: [1, 30], bandwidth: [2, median]}]",
    )
    assert len(set(found)) == len(found) == 3 * 3 * 5
    assert all(label.isascii() for label in found)
