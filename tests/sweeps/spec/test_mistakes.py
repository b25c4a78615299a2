"""The screens that people see: exact text."""

from __future__ import annotations

import pickle

import pytest

from qhn.core.errors import SpecError
from qhn.devices import DEVICES
from qhn.sweeps.spec import InvalidSpecError, load_spec, parse_spec
from qhn.sweeps.spec.mistakes import MAX_SHOWN

MANY_MISTAKES = """\
name: ../escape
datasets:
  - moons
  - {name: moon, nose: 1}
  - {name: gaussian, noise: 0.2}
  - {name: digits, train: 200, test: 200}
  - {name: ring, train: 0}
  - 3
network: [mlp]
objectives:
  - {name: mle, lambda: -3}
  - name: elbo
  - name: selbo
    lambda: [-1, .nan, strong, {schedule: expnential, start: 3}, {schedule: exponential, start: 3}]
    bandwidth: [0, n/3, -.inf]
    prior_samples: 1
  - {name: elbo, lambda: {distribution: uniform, low: 1, high: 10}}
  - name: selbo
    lambda: [1, 3]
    prior_samples: []
  - vmle
  - {lambda: 3}
ansatze: []
seeds: 3
training: {steps: 0, learning_rate: yes, report_evry: 3}
early_stopping: {kind: asha, grace_steps: 3.5, metric: test_accuracy_mode}
device: qpu
seeds: 1.5
"""

SCREEN = """\
many.yaml has 32 mistakes:
  line 1: name: must be letters, digits, '.', '_' and '-', at most 100 of them, and not begin \
with '.' or '-', but got '../escape'
  line 4: datasets[1].name: must be one of gaussian, moons, ring, digits, file, mnist, \
fashion_mnist, but got 'moon'; did you mean moons?
  line 4: datasets[1].nose: unknown key; did you mean noise? (known: classes, digest, label, \
label_noise, name, noise, path, seed, test, train, validation)
  line 5: datasets[2].noise: gaussian takes no noise, leave it out (got 0.2)
  line 6: datasets[3].test: `train + test <= 360` must hold for digits, but got train=200, \
test=200
  line 7: datasets[4].train: must be at least 1, but got 0
  line 8: datasets[5]: must be a word or a mapping, but got 3
  line 9: network: unknown key; did you mean networks? (known: ansatze, controls, data_seeds, \
datasets, description, devices, early_stopping, lanes, name, networks, objectives, search, seeds, \
start_from, tags, time_limit, training)
  line 11: objectives[0].lambda: must be at least 0, but got -3
  line 12: objectives[1].lambda: missing: a number or a schedule
  line 14: objectives[2].lambda[0]: must be at least 0, but got -1
  line 14: objectives[2].lambda[1]: must be finite, but got nan
  line 14: objectives[2].lambda[2]: must be a number or a mapping (schedule: constant, warmup, \
exponential, cosine, cyclic, entropy, balance, plateau; distribution: uniform, loguniform, \
choice), but got 'strong'
  line 14: objectives[2].lambda[3].schedule: must be one of constant, warmup, exponential, \
cosine, cyclic, entropy, balance, plateau, but got 'expnential'; did you mean exponential?
  line 14: objectives[2].lambda[4].end: missing: a value is needed
  line 15: objectives[2].bandwidth[0]: must be greater than 0, but got 0
  line 15: objectives[2].bandwidth[1]: must be a number greater than 0, n/4, sqrt(n), median \
or a mapping (sum: [...]; distribution: uniform, loguniform, choice), but got 'n/3'
  line 15: objectives[2].bandwidth[2]: must be finite, but got -inf
  line 16: objectives[2].prior_samples: must be at least 2, but got 1
  line 17: objectives[3].lambda: a distribution needs search: {kind: random, draws: ...}; or \
list values
  line 20: objectives[4].prior_samples: must not be empty
  line 21: objectives[5]: must be one of mle, elbo, selbo, kale, but got 'vmle'; did you mean mle?
  line 22: objectives[6].name: missing: one of elbo, kale, mle, selbo
  line 23: ansatze: must not be empty
  line 24: seeds: must be a whole number, a list of them, or {first: ..., count: ...}, but got \
1.5
  line 25: training.steps: must be at least 1, but got 0
  line 25: training.learning_rate: must be a number greater than 0 or a mapping (distribution: \
uniform, loguniform, choice), but got 'yes'
  line 25: training.report_evry: unknown key; did you mean report_every? (known: best_of, \
learning_rate, optimiser, report_every, steps)
  line 26: early_stopping.metric: must be one of nll, train_accuracy_expected, \
train_accuracy_mode, train_accuracy_average, train_accuracy_best_of_k, validation_nll, \
validation_accuracy_expected, but got 'test_accuracy_mode'; did you mean train_accuracy_mode?
  line 26: early_stopping.grace_steps: must be a whole number, but got 3.5
  and 2 more"""


def screen(text):
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec(text, "many.yaml")
    return str(caught.value)


def sweep(**changes):
    """A right sweep file, changed; a value None takes the key away."""
    entries = {"name": "x", "datasets": "[moons]", "objectives": "[mle]", "seeds": "2", **changes}
    return "\n".join(f"{key}: {value}" for key, value in entries.items() if value is not None)


def only_mistake(**changes):
    header, line = screen(sweep(**changes)).splitlines()
    assert header == "many.yaml has 1 mistake:"
    return line.strip()


def test_every_mistake_is_on_the_screen():
    assert screen(MANY_MISTAKES) == SCREEN


def test_a_long_list_of_mistakes_is_cut_but_kept():
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec(sweep(seeds=f"[{', '.join(['x'] * 1000)}]"))
    assert len(caught.value.mistakes) == 1000
    assert len(str(caught.value).splitlines()) == MAX_SHOWN + 2
    assert str(caught.value).endswith("  and 970 more")


def test_mistakes_can_be_read_by_programs():
    with pytest.raises(SpecError) as caught:
        parse_spec(sweep(seeds=0), "many.yaml")
    (mistake,) = caught.value.mistakes
    assert (mistake.path, mistake.line) == ("seeds", 4)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made here
    assert (str(again), again.mistakes) == (str(caught.value), caught.value.mistakes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "line 1: name: missing: a word"),
        ({"name": "a/b"}, "'a/b'"),
        ({"name": ".hidden"}, "'.hidden'"),
        ({"name": '"a\\nb"'}, r"'a\nb'"),
        ({"name": "x" * 101}, "at most 100 of them"),
        (
            {"name": "2024"},
            "name: must be text (in quotes, if it looks like a number), but got 2024",
        ),
        ({"datasets": "[]"}, "line 2: datasets: must not be empty"),
        ({"datasets": ""}, "datasets: must be a word or a mapping, but got nothing"),
        (
            {"datasets": "[[moons]]"},
            "datasets[0]: must be a word or a mapping, but got a list of 1",
        ),
        (
            {"datasets": "[{name: moons, train: 0}]"},
            "datasets[0].train: must be at least 1, but got 0",
        ),
        (
            {"datasets": "{name: moons, noise: -1}"},
            "datasets.noise: must be at least 0, but got -1",
        ),
        ({"networks": "[{kind: logistic, hidden: 2}]"}, "logistic has no hidden units"),
        ({"objectives": "[elbo]"}, "objectives[0].lambda: missing: a number or a schedule"),
        ({"objectives": "[{name: elbo, lambda: []}]"}, "objectives[0].lambda: must not be empty"),
        ({"objectives": "[{name: elbo, lambda: -3}]"}, "objectives[0].lambda: must be at least 0"),
        (
            {"objectives": "[{name: mle, lambda: -1}]"},
            "objectives[0].lambda: must be at least 0, but got -1",
        ),
        (
            {"objectives": "[{name: elbo, lambda: {schedule: cosine, start: 3, end: 1, over: 1}}]"},
            "objectives[0].lambda.over: cosine takes no over, leave it out",
        ),
        (
            {"objectives": "[{name: elbo, lambda: {schedule: exponential, start: 0, end: 1}}]"},
            "objectives[0].lambda.start: must be greater than 0, but got 0",
        ),
        (
            {"objectives": "[{name: selbo, lambda: 1, bandwidth: 0}]"},
            "objectives[0].bandwidth: must be greater than 0, but got 0",
        ),
        (
            {"objectives": "[{name: selbo, lambda: 1, prior_samples: 1.5}]"},
            "objectives[0].prior_samples: must be a whole number, but got 1.5",
        ),
        (
            {"objectives": "[{name: selbo, lambda: 1, prior_samples: 200000}]"},
            "objectives[0].prior_samples: must be at most 16,384, but got 200000",
        ),
        (
            {"training": "{best_of: 2147483648}"},
            "training.best_of: must be at most 1,048,576, but got 2147483648",
        ),
        ({"seeds": "0"}, "line 4: seeds: must be at least 1, but got 0"),
        ({"seeds": "[]"}, "seeds: must not be empty"),
        ({"name": "Default"}, "name: must not be 'Default'"),
        ({"seeds": "[1, -2]"}, "seeds[1]: must be at least 0, but got -2"),
        ({"seeds": "{first: 3}"}, "seeds.count: missing: a whole number"),
        ({"seeds": "yes"}, "seeds: must be a whole number, a list of them, or {first: ..."),
        ({"seeds": "{first: 9223372036854775807, count: 2}"}, "seeds.count: the last seed must be"),
        ({"training": "{steps: 0}"}, "training.steps: must be at least 1, but got 0"),
        ({"training": "{steps: 2.5}"}, "training.steps: must be a whole number, but got 2.5"),
        (
            {"training": "{learning_rate: .inf}"},
            "training.learning_rate: must be finite, but got inf",
        ),
        (
            {"training": "{optimiser: adm}"},
            "must be one of adam, sgd, spsa, but got 'adm'; did you mean adam?",
        ),
        ({"training": "fast"}, "training: must be a mapping, but got 'fast'"),
        (
            {"device": "qpu"},
            f"line 5: device: must be one of {', '.join(DEVICES)}, but got 'qpu'",
        ),
        ({"device": "exact", "devices": "[exact]"}, "device: give device or devices, not both"),
        ({"search": "random"}, "search.draws: missing: a whole number"),
        ({"search": "{kind: grid, draws: 3}"}, "search.draws: grid takes no draws, leave it out"),
        (
            {"search": "gird"},
            "search: must be one of grid, random, but got 'gird'; did you mean grid?",
        ),
        (
            {"training": "{learning_rate: {distribution: loguniform, low: 0.01, high: 1}}"},
            "training.learning_rate: a distribution needs search: {kind: random",
        ),
        (
            {
                "search": "{kind: random, draws: 3}",
                "training": "{learning_rate: {distribution: normal}}",
            },
            "training.learning_rate.distribution: must be one of uniform, loguniform, choice",
        ),
        (
            {
                "search": "{kind: random, draws: 3}",
                "training": "{learning_rate: {distribution: loguniform, low: 0, high: 1}}",
            },
            "training.learning_rate.low: must be greater than 0, but got 0",
        ),
        (
            {
                "search": "{kind: random, draws: 3}",
                "training": "{learning_rate: {distribution: uniform, low: 2, high: 1}}",
            },
            "training.learning_rate.high: must be greater than low, but got low=2 and high=1",
        ),
        (
            {
                "search": "{kind: random, draws: 3}",
                "objectives": "[{name: elbo, lambda: {distribution: choice, values: "
                "[{distribution: uniform, low: 1, high: 2}]}}]",
            },
            "objectives[0].lambda.values[0]: must be a number or a mapping (schedule: constant, "
            "warmup, exponential, cosine, cyclic, entropy, balance, plateau), but got "
            "distribution: 'uniform'",
        ),
        (
            {
                "objectives": "[{name: selbo, lambda: {distribution: choice, values: [1, "
                "{schedule: entropy, target: 0.5}]}}]",
                "devices": "[exact, 'exact:64']",
                "search": "{kind: random, draws: 2}",
            },
            "objectives[0]: λ by entropy needs a device that gives probabilities, but got exact "
            "shots=64; use plateau, or a schedule",
        ),
        (
            {"objectives": "[{name: selbo, lambda: 1, bandwidth: {sum: [1, 2], scale: 2}}]"},
            "objectives[0].bandwidth.scale: unknown key (known: distribution, high, low, sum, "
            "values)",
        ),
        (
            {"objectives": "[{name: selbo, lambda: 1, bandwidth: [{sum: 1}]}]"},
            "objectives[0].bandwidth[0].sum: must have at least 2 items, but got 1",
        ),
        (
            {
                "objectives": "[{name: selbo, lambda: 1, bandwidth: {distribution: uniform, "
                "low: 1, high: 2, sum: [1, 2]}}]",
                "search": "{kind: random, draws: 2}",
            },
            "objectives[0].bandwidth.sum: uniform takes no sum, leave it out",
        ),
        (
            {"datasets": "[{name: moons, train: 20, validation: 20}]"},
            "datasets[0].validation: `validation < train` must hold, because the points are held "
            "out of those for training, but got validation=20, train=20",
        ),
        (
            {"early_stopping": "{kind: asha, metric: validation_nll}"},
            "early_stopping.metric: needs training points that are held out, but datasets[0] has "
            "none; give it validation: N, or compare trials by nll",
        ),
        (
            {
                "datasets": "[{name: digits, validation: 20}]",
                "networks": "{kind: mlp, hidden: 2}",
                "devices": "['exact:64']",
            },
            "datasets[0].validation: points are held out on at most 20 qubits, but a circuit has "
            "38; leave it out",
        ),
        (
            {"objectives": "[{name: elbo, lambda: {schedule: entropy, target: 0.5, low: 2}}]"},
            "objectives[0].lambda: `low <= start <= high` must hold, but got low=2.0, start=1.0, "
            "high=1000.0",
        ),
        (
            {
                "objectives": "[{name: selbo, lambda: {schedule: balance, ratio: 1}}]",
                "devices": "['exact:64']",
            },
            "objectives[0]: λ by balance needs a device that gives probabilities, but got exact "
            "shots=64; use plateau, or a schedule",
        ),
        (
            {"objectives": "[{name: selbo, lambda: 1, bandwidth: {schedule: constan}}]"},
            "objectives[0].bandwidth: must be a number greater than 0, n/4, sqrt(n), median or a "
            "mapping (sum: [...]; distribution: uniform, loguniform, choice), but got schedule: "
            "'constan'",
        ),
        (
            {"early_stopping": "{kind: asha, grace_steps: 250}"},
            "early_stopping.grace_steps: must be less than training.steps = 250, but got 250",
        ),
        (
            {"early_stopping": "asha", "training": "{steps: 30}"},
            "early_stopping: grace_steps, which is 50 by default, must be less than "
            "training.steps = 30; give a smaller one: {kind: asha, grace_steps: ...}",
        ),
        (
            {"time_limit": "soon"},
            "line 5: time_limit: must be a number of seconds greater than 0, or a text such as "
            "90s, 10m or 1.5h, but got 'soon'",
        ),
        ({"time_limit": "0"}, "time_limit: must be greater than 0, but got 0"),
        ({"time_limit": "0.0m"}, "time_limit: must be a number of seconds greater than 0, or"),
        ({"time_limit": "yes"}, "time_limit: must be a number of seconds greater than 0, or"),
        ({"early_stopping": "hyperband"}, "early_stopping: must be asha, but got 'hyperband'"),
        (
            {"seeds": "1000000", "datasets": "[moons, ring]"},
            "asks for 2,000,000 trials, but at most 1,000,000 are allowed",
        ),
        ({"tags": "[a]"}, "line 5: tags: must be a mapping (name: value, ...), but got a list of"),
        ({"tags": ""}, "tags: must be a mapping (name: value, ...), but got nothing"),
        ({"description": "[a]"}, "description: must be text"),
        ({"description": "x" * 5001}, "description: must be text of at most 5,000 characters"),
        ({"sedes": "3"}, "line 5: sedes: unknown key; did you mean seeds?"),
        ({"<<": "{a: 1}"}, "<<: unknown key (known: "),
        ({"?": "3"}, "unknown key"),
    ],
)
def test_each_mistake_has_its_own_message(changes, message):
    assert message in only_mistake(**changes)


def test_a_depth_that_nobody_trains_is_refused():
    assert "ansatze[0].depth: must be at most 10,000" in only_mistake(ansatze="[{depth: 20000}]")


def test_trials_are_counted_before_any_is_planned():
    with pytest.raises(InvalidSpecError) as caught:
        parse_spec(sweep(datasets=f"[{'moons, ' * 2000}]", networks=f"[{'mlp, ' * 2000}]"))
    assert "asks for 8,000,000 trials" in str(caught.value)


def test_what_a_file_means_depends_on_no_machine():
    # 30 qubits and ten million points: refused by a preflight, not here.
    assert parse_spec(sweep(networks="[{hidden: 7}]", datasets="[{name: moons, train: 10000000}]"))


@pytest.mark.parametrize(
    ("text", "got"), [("[1, 2]", "a list of 2 items"), ("hello", "'hello'"), ("7", "7")]
)
def test_a_file_that_is_no_mapping_is_refused(text, got):
    assert screen(text).endswith(f"must be a mapping (name: ..., datasets: ...), but got {got}")


def test_an_empty_file_says_what_it_needs():
    assert screen("").splitlines()[1:] == [
        "  name: missing: a word",
        "  datasets: missing: a list of data sets",
        "  objectives: missing: a list of objectives",
        "  seeds: missing: a whole number or a list",
    ]


TAGS = """\
tags:
  qhn.group: mine
  has space: 1
  several: [1, 2]
  long: %s
  right: 2
  mlflow.user: me
""" % ("x" * 5001)


def test_every_mistake_in_tags_has_its_line():
    text = screen(sweep() + "\n" + TAGS)
    name = "the name of a tag must"
    assert text.splitlines() == [
        "many.yaml has 5 mistakes:",
        f"  line 6: tags.qhn.group: {name} not begin with 'qhn.' or 'mlflow.', which have uses of "
        "their own, but got 'qhn.group'",
        f"  line 7: tags.has space: {name} be letters, digits, '.', '_' and '-', at most 100 of "
        "them, but got 'has space'",
        "  line 8: tags.several: must be text (in quotes, if it looks like a number), but got a "
        "list of 2 items",
        f"  line 9: tags.long: must be text of at most 5,000 characters, but got '{'x' * 46}...",
        f"  line 11: tags.mlflow.user: {name} not begin with 'qhn.' or 'mlflow.', which have uses "
        "of their own, but got 'mlflow.user'",
    ]


def test_keys_given_twice_are_reported_with_everything_else():
    text = screen(sweep() + "\nseeds: 0\n")
    assert "seeds: given twice (first on line 4)" in text
    assert "seeds: must be at least 1, but got 0" in text


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(SpecError, match="No such file"):
        load_spec(tmp_path / "missing.yaml")
    with pytest.raises(SpecError, match="directory"):
        load_spec(tmp_path)
    (tmp_path / "huge.yaml").write_bytes(b"#" * 2**21)
    with pytest.raises(SpecError, match="at most 1 MiB"):
        load_spec(tmp_path / "huge.yaml")
