from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from qhn.core.errors import InvalidValueError
from qhn.sweeps.config.sections import AshaConfig, NetworkConfig
from qhn.sweeps.config.trial import TrialConfig

CONSTANT = {"schedule": "constant", "value": 1.0}
SELBO = {"name": "selbo", "lambda": CONSTANT, "bandwidth": 3.5}

strengths = st.floats(0, 1e6, allow_nan=False)
positives = st.floats(1e-6, 1e6)
schedules = st.one_of(
    st.fixed_dictionaries({"schedule": st.just("constant"), "value": strengths}),
    st.fixed_dictionaries({"schedule": st.just("warmup"), "value": strengths}),
    st.fixed_dictionaries(
        {"schedule": st.just("exponential"), "start": positives, "end": positives}
    ),
    st.fixed_dictionaries({"schedule": st.just("cosine"), "start": strengths, "end": strengths}),
    st.fixed_dictionaries({"schedule": st.just("cyclic"), "low": st.just(0.5), "high": st.just(2)}),
)
objectives = st.one_of(
    st.just({"name": "mle"}),
    st.fixed_dictionaries({"name": st.just("elbo"), "lambda": schedules}),
    st.fixed_dictionaries(
        {"name": st.just("selbo"), "lambda": schedules, "bandwidth": positives},
        optional={"prior_samples": st.integers(2, 999)},
    ),
)
contents = st.fixed_dictionaries(
    {
        "dataset": st.one_of(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["moons", "ring"])}, optional={"noise": strengths}
            ),
            st.fixed_dictionaries(
                {"name": st.sampled_from(["gaussian", "digits"])},
                optional={"seed": st.integers(0, 99)},
            ),
        ),
        "objective": objectives,
        "seed": st.integers(0, 2**63 - 1),
    },
    optional={
        "network": st.sampled_from([{"kind": "mlp", "hidden": 4}, {"kind": "logistic"}]),
        "ansatz": st.fixed_dictionaries(
            {"entangler": st.sampled_from(["brickwork", "chain", "ring"])},
            optional={"depth": st.integers(1, 9), "entanglers_first": st.booleans()},
        ),
        "training": st.fixed_dictionaries({"steps": st.integers(1, 10**5)}),
        "early_stopping": st.just({"kind": "asha"}),
    },
)


def config(**changes):
    content = {"dataset": {"name": "moons"}, "objective": SELBO, "seed": 3, **changes}
    return TrialConfig.model_validate(content)


def shuffled(content, rng):
    """The same content, its keys in another order."""
    if not isinstance(content, dict):
        return content
    keys = rng.sample(list(content), len(content))
    return {key: shuffled(content[key], rng) for key in keys}


@settings(max_examples=60)
@given(contents)
def test_json_gives_the_configuration_back(content):
    made = TrialConfig.model_validate(content)
    again = TrialConfig.from_json(made.to_json())
    assert again == made
    assert again.trial_id == made.trial_id
    assert again.to_json() == made.to_json()


@settings(max_examples=40)
@given(contents, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(content, rng):
    expected = TrialConfig.model_validate(content).trial_id
    assert TrialConfig.model_validate(shuffled(content, rng)).trial_id == expected


def test_ids_are_pinned():
    # A change here gives every trial in every store another id: old results would be lost.
    assert config().trial_id == "8d9e46c5ed89c577"
    assert config().group_id(None) == "d69feb5f302d48ae"
    assert config().problem_key == "ec26bab5d9d9f776"
    assert config().to_json() == (
        '{"ansatz":{"depth":2,"entangler":"brickwork","entanglers_first":true},'
        '"dataset":{"name":"moons","noise":0.1,"seed":0,"test":1000,"train":100},'
        '"device":{"name":"exact"},"network":{"hidden":3,"kind":"mlp"},'
        '"objective":{"bandwidth":3.5,"lambda":{"schedule":"constant","value":1.0},'
        '"name":"selbo"},"seed":3,"training":{"best_of":64,"learning_rate":0.1,'
        '"optimiser":"adam","report_every":10,"steps":250},"version":1}'
    )


def test_a_whole_number_is_the_same_as_its_float():
    whole = {**SELBO, "lambda": {"schedule": "constant", "value": 1}, "bandwidth": 2}
    real = {**SELBO, "lambda": {"schedule": "constant", "value": 1.0}, "bandwidth": 2.0}
    assert config(objective=whole).trial_id == config(objective=real).trial_id


def test_minus_zero_is_zero():
    plus = config(dataset={"name": "moons", "noise": 0.0})
    assert config(dataset={"name": "moons", "noise": -0.0}).trial_id == plus.trial_id


def test_what_is_left_out_equals_its_default_written_down():
    written = config(
        dataset={"name": "moons", "noise": 0.1, "train": 100, "test": 1000, "seed": 0},
        network={"kind": "mlp", "hidden": 3},
        ansatz={"entangler": "brickwork", "depth": 2, "entanglers_first": True},
        training={"steps": 250, "report_every": 10},
        device={"name": "exact"},
    )
    assert written.trial_id == config().trial_id


@pytest.mark.parametrize("name", ["mle", "elbo"])
def test_hyperparameters_that_are_not_used_are_dropped(name):
    full = {**SELBO, "name": name, "prior_samples": 64}
    needed = {"mle": {"name": "mle"}, "elbo": {"name": "elbo", "lambda": CONSTANT}}[name]
    assert config(objective=full).trial_id == config(objective=needed).trial_id


def test_everything_else_tells_trials_apart():
    others = [
        config(seed=4),
        config(dataset={"name": "ring"}),
        config(dataset={"name": "moons", "seed": 1}),
        config(network={"kind": "logistic"}),
        config(ansatz={"depth": 3}),
        config(ansatz={"entanglers_first": False}),
        config(objective={**SELBO, "prior_samples": 64}),
        config(training={"learning_rate": 0.2}),
    ]
    assert len({c.trial_id for c in [config(), *others]}) == 1 + len(others)


def test_early_stopping_is_read_and_forgotten():
    raced = config(early_stopping={"kind": "asha", "grace_steps": 20})
    assert raced == config()
    assert "early_stopping" not in raced.to_json()


def test_former_ids_and_groups_tell_rules_apart():
    rules = [None, AshaConfig(), AshaConfig(grace_steps=20), AshaConfig(metric="nll")]
    groups = [config().group_id(rule) for rule in rules]
    former = [config().former_id(rule) for rule in rules]
    # The last rule only spells out a default.
    assert groups[3] == groups[1]
    assert former[3] == former[1]
    assert len(set(groups)) == 3
    assert len({*former, config().trial_id}) == 4
    assert former[0] is None


class LaterConfig(TrialConfig):
    """What a later version may look like: one more field for the trial, and one for a part."""

    mitigation: str | None = None
    network: LaterNetwork = Field(default_factory=lambda: LaterNetwork())


class LaterNetwork(NetworkConfig):
    width: int | None = None


@given(contents)
def test_a_field_that_is_added_later_changes_no_id(content):
    now, later = TrialConfig.model_validate(content), LaterConfig.model_validate(content)
    assert later.trial_id == now.trial_id
    assert later.group_id(AshaConfig()) == now.group_id(AshaConfig())
    assert later.problem_key == now.problem_key
    # But where it says something, it is another trial.
    assert later.model_copy(update={"mitigation": "zne"}).trial_id != now.trial_id
    wider = later.network.model_copy(update={"width": 2})
    assert later.model_copy(update={"network": wider}).trial_id != now.trial_id


def test_a_group_is_everything_but_the_seed():
    assert config(seed=4).group_id(None) == config().group_id(None)
    assert config(ansatz={"depth": 3}).group_id(None) != config().group_id(None)


def test_copies_do_not_keep_the_id_of_the_original():
    original = config()
    assert original.trial_id
    assert original.model_copy(update={"seed": 4}).trial_id == config(seed=4).trial_id


def test_problems_are_shared_by_data_and_network_only():
    assert config(objective={"name": "mle"}, seed=9).problem_key == config().problem_key
    assert config(dataset={"name": "moons", "seed": 1}).problem_key != config().problem_key
    assert config(network={"kind": "logistic"}).problem_key != config().problem_key


@pytest.mark.parametrize(
    ("steps", "every"), [(5, 5), (20, 10), (250, 10), (990, 10), (991, 11), (100_000, 1011)]
)
def test_curves_have_at_most_100_points(steps, every):
    training = config(training={"steps": steps}).training
    assert training.report_every == every
    assert len({*range(0, steps, every), steps}) <= 100
    assert steps / every <= 100


def test_a_report_interval_that_is_given_is_kept():
    assert config(training={"steps": 1000, "report_every": 1}).training.report_every == 1
    assert config(training={"steps": 50, "report_every": 80}).training.report_every == 50


def test_order_of_gates_follows_the_entangler():
    assert config(ansatz={"entangler": "brickwork"}).ansatz.entanglers_first is True
    assert config(ansatz={"entangler": "chain"}).ansatz.entanglers_first is False
    assert config(ansatz={"entangler": "ring", "entanglers_first": True}).ansatz.entanglers_first


def test_digits_tests_on_whatever_is_not_for_training():
    assert config(dataset={"name": "digits", "train": 60}).dataset.test == 300
    assert config(dataset={"name": "digits", "train": 60, "test": 10}).dataset.test == 10


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 1.0},
        {"seed": True},
        {"version": 2},
        {"surplus": 1},
        {"dataset": {"name": "moons", "noise": float("nan")}},
        {"dataset": {"name": "moons", "noise": 10**400}},
        {"dataset": {"name": "gaussian", "noise": 0.1}},
        {"dataset": {"name": "digits", "train": 360}},
        {"dataset": {"name": "digits", "train": 200, "test": 200}},
        {"network": {"kind": "logistic", "hidden": 3}},
        {"objective": {"name": "elbo"}},
        {"objective": {"name": "selbo", "lambda": CONSTANT}},
        {"objective": {**SELBO, "bandwidth": "n/4"}},
        {"objective": {**SELBO, "lambda": {"schedule": "exponential", "start": 0, "end": 1}}},
        {"objective": {**SELBO, "lambda": {"schedule": "cyclic", "low": 2, "high": 1}}},
        {"training": {"steps": 0}},
        {"training": {"learning_rate": 0}},
        {"early_stopping": {"kind": "asha", "metric": "test_accuracy_mode"}},
    ],
)
def test_invalid_configurations_cannot_be_built(changes):
    with pytest.raises(ValidationError):
        config(**changes)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"seed":NaN}', "\udcff"])
def test_text_that_is_no_configuration_is_refused(text):
    with pytest.raises(InvalidValueError, match="not a trial's configuration"):
        TrialConfig.from_json(text)


def test_a_field_of_a_later_version_is_refused_not_ignored():
    content = json.loads(config().to_json())
    content["training"]["momentum"] = 0.9
    with pytest.raises(InvalidValueError, match=r"training\.momentum"):
        TrialConfig.from_json(json.dumps(content))


def test_shuffling_really_shuffles():
    content = json.loads(config().to_json())
    orders = {tuple(shuffled(content, random.Random(seed))) for seed in range(5)}
    assert len(orders) > 1
