"""Any right sweep file, written out in full, reads back as the same spec and plan."""

from __future__ import annotations

import json

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

strengths = st.floats(0, 1e9)
positives = st.floats(1e-9, 1e9)
schedules = st.one_of(
    strengths,
    st.integers(0, 1000),
    st.fixed_dictionaries(
        {"schedule": st.just("exponential"), "start": positives, "end": positives},
        optional={"over": st.floats(0.01, 1)},
    ),
    st.fixed_dictionaries({"schedule": st.just("cosine"), "start": strengths, "end": strengths}),
)
distributions = st.one_of(
    st.just({"distribution": "uniform", "low": 0, "high": 2}),
    st.just({"distribution": "loguniform", "low": 1e-3, "high": 10}),
    st.just({"distribution": "choice", "values": [0.5, 2]}),
)


def items(values):
    """One value, or a list of them without repetitions."""
    lists = st.lists(values, min_size=1, max_size=3, unique_by=lambda value: repr(_float(value)))
    return st.one_of(values, lists)


def _float(value):
    if isinstance(value, dict):
        return sorted((key, _float(part)) for key, part in value.items())
    is_number = isinstance(value, int | float)
    # A constant schedule may be written as a number, −0.0 is 0.0.
    return float(value) + 0.0 if is_number else value


def sweeps(values_of_lambda, search):
    elbo = st.fixed_dictionaries({"name": st.just("elbo"), "lambda": items(values_of_lambda)})
    selbo = st.fixed_dictionaries(
        {"name": st.just("selbo"), "lambda": items(values_of_lambda)},
        optional={
            "bandwidth": items(st.one_of(positives, st.sampled_from(["n/4", "sqrt(n)"]))),
            "prior_samples": items(st.one_of(st.integers(2, 99), st.just("closed form"))),
        },
    )
    return st.fixed_dictionaries(
        {
            "name": st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True),
            "datasets": items(st.sampled_from(["gaussian", "moons", "ring"])),
            "objectives": st.one_of(
                st.just("mle"), st.tuples(st.just("mle"), elbo, selbo).map(list), selbo
            ),
            "seeds": st.one_of(
                st.integers(1, 3),
                st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3, unique=True),
                st.just({"first": 5, "count": 2}),
            ),
            "search": search,
        },
        optional={
            "networks": items(st.sampled_from(["mlp", "logistic"])),
            "ansatze": items(st.sampled_from(["brickwork", "chain", "ring"])),
            "training": st.fixed_dictionaries(
                {"steps": st.integers(60, 5000)},
                optional={
                    "learning_rate": items(st.floats(1e-4, 1)),
                    "report_every": st.integers(1, 500),
                },
            ),
            "device": st.just("exact"),
            "early_stopping": st.sampled_from([None, "asha", {"kind": "asha", "grace_steps": 20}]),
            "time_limit": st.sampled_from([0.5, 600, "90s", "10m", "1.5h"]),
        },
    )


grids = sweeps(schedules, st.sampled_from(["grid", {"kind": "grid"}]))
searches = sweeps(
    st.one_of(schedules, distributions),
    st.fixed_dictionaries({"kind": st.just("random"), "draws": st.integers(1, 5)}),
)


@settings(max_examples=80)
@given(st.one_of(grids, searches))
def test_a_spec_written_out_reads_back(content):
    spec = parse_spec(json.dumps(content))
    again = parse_spec(json.dumps(spec.content()))
    assert again == spec
    assert make_plan(again) == make_plan(spec)


@settings(max_examples=40)
@given(grids)
def test_block_style_reads_like_json(content):
    name = json.dumps(content.pop("name"))
    block = f"name: {name}\n" + yaml.safe_dump(content, default_flow_style=False)
    flow = json.dumps({"name": json.loads(name), **content})
    assert parse_spec(block) == parse_spec(flow)


@settings(max_examples=40)
@given(grids)
def test_one_more_seed_adds_trials_and_changes_none(content):
    fewer, more = (
        {t.trial_id for t in make_plan(parse_spec(json.dumps({**content, "seeds": n}))).trials}
        for n in (2, 3)
    )
    assert fewer < more
    assert len(more) * 2 == len(fewer) * 3
