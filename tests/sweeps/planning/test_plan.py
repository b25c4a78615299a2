from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qhn.core.errors import SpecError
from qhn.core.objectives.bandwidth import bandwidth
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import load_spec, parse_spec

SWEEPS = Path(__file__).parents[3] / "sweeps"


def plan(**changes):
    entries = {"name": "x", "datasets": "[moons]", "objectives": "[mle]", "seeds": "2", **changes}
    return make_plan(parse_spec("\n".join(f"{key}: {value}" for key, value in entries.items())))


def ids(of_plan):
    return [trial.trial_id for trial in of_plan.trials]


ELBO_DRAWN = "[mle, {name: elbo, lambda: {distribution: loguniform, low: 0.1, high: 10}}]"
SELBO = "[{name: selbo, lambda: [1, 30], bandwidth: [n/4, 2], prior_samples: [closed form, 64]}]"


@pytest.mark.parametrize(
    ("name", "n_trials", "n_groups"),
    [
        ("quickstart", 96, 12),
        ("paper", 720, 36),
        ("mmd-bandwidth", 720, 36),
        ("digits", 100, 5),
        ("noise", 70, 14),
        ("noise-aer", 20, 4),
        ("rehearsal", 24, 4),
        ("hardware", 6, 3),
        ("experiments/mle-elbo", 9000, 45),
        ("experiments/bandwidth", 3840, 48),
        ("experiments/adaptive", 2700, 27),
    ],
)
def test_the_sweep_files_of_the_repository(name, n_trials, n_groups):
    spec = load_spec(SWEEPS / f"{name}.yaml")
    found = make_plan(spec)
    assert spec.name == Path(name).name
    assert (len(found.trials), len(found.groups)) == (n_trials, n_groups)
    assert found.duplicates == 0


def test_every_sweep_file_is_tested():
    assert {path.stem for path in SWEEPS.rglob("*.yaml")} == {
        "quickstart",
        "paper",
        "mmd-bandwidth",
        "digits",
        "noise",
        "noise-aer",
        "rehearsal",
        "hardware",
        "mle-elbo",
        "adaptive",
        "bandwidth",
    }


def test_digits_has_17_qubits_and_no_default_network():
    trial = make_plan(load_spec(SWEEPS / "digits.yaml")).trials[0]
    assert trial.config.n_qubits == 17
    assert trial.config.network.kind == "logistic"


def test_each_trial_carries_the_identity_of_its_configuration():
    found = plan(objectives=SELBO, seeds="3")
    assert len(set(ids(found))) == len(found.trials) == 24
    for trial in found.trials:
        assert trial.trial_id == trial.config.trial_id
        assert trial.group_id == trial.config.group_id(None)
        assert trial.former_id is None
        assert found.groups[trial.group_id] == trial.group


def test_seeds_are_outermost():
    found = plan(datasets="[moons, ring]", seeds="[7, 3]")
    assert [(t.config.seed, t.config.dataset.name) for t in found.trials] == [
        (7, "moons"),
        (7, "ring"),
        (3, "moons"),
        (3, "ring"),
    ]


def test_seeds_from_a_number_a_list_and_a_range():
    assert [t.config.seed for t in plan(seeds="3").trials] == [0, 1, 2]
    assert [t.config.seed for t in plan(seeds="[4, 2]").trials] == [4, 2]
    assert [t.config.seed for t in plan(seeds="{first: 10, count: 2}").trials] == [10, 11]


@pytest.mark.parametrize(
    "changes",
    [{"objectives": SELBO}, {"objectives": ELBO_DRAWN, "search": "{kind: random, draws: 5}"}],
)
def test_more_seeds_only_add_trials(changes):
    fewer, more = ids(plan(seeds="2", **changes)), ids(plan(seeds="3", **changes))
    assert more[: len(fewer)] == fewer
    assert len(more) == len(fewer) * 3 // 2


def test_the_plan_is_the_same_every_time():
    changes = {"objectives": ELBO_DRAWN, "search": "{kind: random, draws: 20}"}
    assert ids(plan(**changes)) == ids(plan(**changes))


def test_bandwidth_rules_become_numbers_for_each_network():
    found = plan(
        objectives="[{name: selbo, lambda: 1, bandwidth: [n/4, sqrt(n), median, 7]}]",
        networks="[mlp, logistic]",
        seeds="1",
    )
    assert [t.config.objective.bandwidth for t in found.trials] == [
        bandwidth(h, n) for n in (14, 3) for h in ("n/4", "sqrt(n)", "median", 7)
    ]


def test_repetitions_are_dropped_and_counted():
    # With 14 qubits n/4 is 3.5, and the second elbo repeats one λ of the first.
    found = plan(
        objectives="[{name: selbo, lambda: 1, bandwidth: [n/4, 3.5]}, "
        "{name: elbo, lambda: [1, 2]}, {name: elbo, lambda: 1}]",
        seeds="5",
    )
    assert len(found.groups) == 3
    assert len(found.trials) == 15
    assert found.duplicates == 10


def test_grid_is_the_product_of_everything():
    found = plan(
        datasets="[moons, ring]",
        networks="[mlp, logistic]",
        ansatze="[brickwork, {entangler: chain, depth: 3}]",
        objectives=f"[mle, {SELBO[1:]}",
        training="{learning_rate: [0.1, 0.3], steps: 50}",
        seeds="2",
    )
    assert len(found.trials) == 2 * 2 * 2 * (1 + 2 * 2 * 2) * 2 * 2
    assert {t.config.training.steps for t in found.trials} == {50}


def test_training_reaches_the_trials_and_early_stopping_the_plan():
    found = plan(
        training="{steps: 3000, optimiser: sgd, learning_rate: 1, best_of: 8}",
        early_stopping="{kind: asha, grace_steps: 20, reduction_factor: 2}",
    )
    training = found.trials[0].config.training
    assert (training.steps, training.optimiser, training.learning_rate) == (3000, "sgd", 1.0)
    assert (training.report_every, training.best_of) == (31, 8)
    assert (found.early_stopping.grace_steps, found.early_stopping.reduction_factor) == (20, 2)
    assert plan().early_stopping is None


def test_more_draws_extend_the_earlier_ones():
    changes = {"objectives": ELBO_DRAWN, "seeds": "1"}
    fewer = plan(search="{kind: random, draws: 10}", **changes)
    more = plan(search="{kind: random, draws: 30}", **changes)
    assert set(ids(fewer)) < set(ids(more))


def test_another_search_seed_draws_other_values():
    changes = {"objectives": "[{name: elbo, lambda: {distribution: uniform, low: 0, high: 1}}]"}
    first = plan(search="{kind: random, draws: 10}", **changes)
    second = plan(search="{kind: random, draws: 10, seed: 1}", **changes)
    assert not set(ids(first)) & set(ids(second))


def test_each_draw_runs_on_every_data_set_and_seed():
    found = plan(
        objectives=ELBO_DRAWN,
        datasets="[moons, ring, gaussian]",
        search="{kind: random, draws: 20}",
        seeds="2",
    )
    settings = {}
    for trial in found.trials:
        key = trial.config.objective.model_dump_json()
        settings.setdefault(key, set()).add((trial.config.dataset.name, trial.config.seed))
    assert all(len(runs) == 6 for runs in settings.values())
    n_elbo = len(settings) - 1
    # MLE has nothing to draw: all its draws are one setting.
    assert found.duplicates == (20 - n_elbo - 1) * 6


def test_drawn_values_keep_to_their_distributions():
    found = plan(
        objectives="[{name: selbo, lambda: {distribution: loguniform, low: 1, high: 100}, "
        "bandwidth: [{distribution: uniform, low: 1, high: 3}, n/4], prior_samples: [64, 256]}]",
        training="{learning_rate: {distribution: choice, values: [0.03, 0.1]}}",
        search="{kind: random, draws: 400}",
        seeds="1",
    )
    configs = [trial.config for trial in found.trials]
    strengths = [c.objective.lambda_.value for c in configs]
    assert all(1 <= value <= 100 for value in strengths)
    # Half of a log-uniform lies below the geometric mean: 400 draws, standard deviation 10.
    assert abs(sum(value < 10 for value in strengths) - 200) < 50
    widths = [c.objective.bandwidth for c in configs]
    assert abs(widths.count(3.5) - 200) < 50
    assert all(1 < h <= 3 for h in widths if h != 3.5)
    assert {c.objective.prior_samples for c in configs} == {64, 256}
    assert {c.training.learning_rate for c in configs} == {0.03, 0.1}


def test_schedules_can_be_drawn_too():
    found = plan(
        objectives="[{name: elbo, lambda: {distribution: choice, values: "
        "[1, {schedule: exponential, start: 30, end: 0.3}]}}]",
        search="{kind: random, draws: 20}",
        seeds="1",
    )
    assert {t.config.objective.lambda_.schedule for t in found.trials} == {
        "constant",
        "exponential",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": "10000"},
        {
            "objectives": "[{name: elbo, lambda: {distribution: uniform, low: 0, high: 1}}]",
            "search": "{kind: random, draws: 10000}",
            "seeds": "1",
        },
    ],
)
def test_ten_thousand_trials_are_planned(changes):
    trials = plan(**changes).trials
    assert len({trial.trial_id for trial in trials}) == len(trials) == 10_000


def test_planning_imports_no_heavy_library():
    code = (
        "import sys, qhn.sweeps.planning.plan, qhn.sweeps.config.factory\n"
        "from qhn.sweeps.spec import load_spec\n"
        f"qhn.sweeps.planning.plan.make_plan(load_spec({str(SWEEPS / 'paper.yaml')!r}))\n"
        "heavy = {'numba', 'scipy', 'sklearn', 'ray', 'mlflow', 'matplotlib', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("repeated", "once", "left_out"),
    [
        ({"seeds": "[0, 1, 0]"}, {}, 1),
        ({"datasets": "[moons, {name: moons}]"}, {}, 2),
        ({"networks": "[mlp, {hidden: 3}]"}, {}, 2),
        ({"devices": "[exact, exact]"}, {}, 2),
        ({"objectives": "[mle, mle]"}, {}, 2),
        ({"objectives": "[{name: mle, lambda: [1, 3], bandwidth: 2, prior_samples: 8}]"}, {}, 0),
        (
            {"objectives": "[{name: elbo, lambda: [1, 3, 1.0], bandwidth: [1, 2]}]"},
            {"objectives": "[{name: elbo, lambda: [1, 3]}]"},
            2,
        ),
    ],
)
def test_what_is_repeated_or_unused_is_left_out(repeated, once, left_out):
    found = plan(**repeated)
    assert ids(found) == ids(plan(**once))
    assert found.duplicates == left_out


def test_kale_has_a_regularisation_and_nothing_else_has():
    text = "[mle, {name: kale, lambda: [1, 3], bandwidth: [2, n/4], regularisation: [0.1, 1]}]"
    found = plan(objectives=text, seeds="1", datasets="moons")
    assert len(found.trials) == 9
    labels = list(found.groups.values())
    assert labels[0] == "moons mle" and "moons kale lambda=1 h=2 alpha=0.1" in labels
    for trial in found.trials:
        part = trial.config.objective
        assert (part.regularisation is None) == (part.name == "mle")
    assert len(plan(objectives=text, devices="[exact:64]").groups) == len(found.groups)
    with pytest.raises(SpecError, match=r"kale needs a device that gives probabilities, but exact"):
        plan(objectives=text, devices="[{name: exact, noise: 0.01}]")
    with pytest.raises(SpecError, match=r"kale from samples is enumerated on at most 20 qubits"):
        plan(objectives=text, devices="[exact:64]", networks="{kind: mlp, hidden: 5}")


def test_gradients_straight_through_are_tried_with_every_learning_rate():
    found = plan(
        objectives="[mle]",
        seeds="1",
        datasets="[moons]",
        controls="[annealing, straight_through, mean_field]",
        training="{learning_rate: [0.01, 0.1], steps: 20}",
    )
    assert [t.group for t in found.trials] == [
        "moons mle lr=0.01",
        "moons mle lr=0.1",
        "moons annealing",
        "moons straight_through lr=0.01",
        "moons straight_through lr=0.1",
        "moons mean_field lr=0.01",
    ]


def test_sums_of_kernels_are_one_trial_however_they_are_written():
    text = "[{name: selbo, lambda: 1, bandwidth: [{sum: [2, n/4]}, {sum: [n/4, 2.0]}, 3.5]}]"
    found = plan(objectives=text, seeds="1", datasets="[moons]")
    assert [t.group for t in found.trials] == [
        "moons selbo lambda=1 h=2+3.5",
        "moons selbo lambda=1 h=3.5",
    ]
    assert found.trials[0].config.content()["objective"]["bandwidth"] == {"sum": [2.0, 3.5]}
    # N/4 is 3.5 here, so that this is no sum at all.
    same = plan(objectives="[{name: selbo, lambda: 1, bandwidth: {sum: [n/4, 3.5]}}]", seeds="1")
    assert {t.config.objective.bandwidth for t in same.trials} == {3.5}
    with pytest.raises(
        SpecError, match=r"bandwidth\[0\].sum\[1\]: must be a number greater than 0"
    ):
        plan(objectives="[{name: selbo, lambda: 1, bandwidth: [{sum: [1, n/3]}]}]")


def test_controls_are_trials_of_their_own_once_for_each_network_and_seed():
    text = "[mle, {name: elbo, lambda: [1, 3]}]"
    names = "[random_search, annealing, straight_through, mean_field]"
    without = plan(objectives=text, seeds="2", datasets="[moons, ring]")
    found = plan(objectives=text, seeds="2", datasets="[moons, ring]", controls=names)
    assert len(found.trials) == len(without.trials) + 2 * 4 * 2
    assert {t.trial_id for t in without.trials} < {t.trial_id for t in found.trials}
    controls = [t for t in found.trials if t.config.control is not None]
    assert [t.group for t in controls[:4]] == [
        "moons random_search",
        "moons annealing",
        "moons straight_through",
        "moons mean_field",
    ]
    for trial in controls:
        assert trial.trial_id == trial.config.trial_id
        assert (trial.config.ansatz.depth, trial.config.objective.name) == (1, "mle")
    # A baseline of one brickwork layer is another trial than the control with the same circuit.
    layer = plan(objectives="[mle]", ansatze="{depth: 1}", seeds="1", controls="[mean_field]")
    assert len({t.trial_id for t in layer.trials}) == len(layer.trials)
    assert len(layer.groups) == 2 * len({t.config.dataset.name for t in layer.trials})
    with pytest.raises(SpecError, match=r"controls\[0\].*did you mean random_search"):
        plan(controls="[random_serch]")


def test_label_noise_and_classes_name_groups_and_change_no_trial_that_has_none():
    def ids_of(entry):
        return ids(plan(objectives="mle", seeds="1", datasets=f"[{entry}]"))

    assert ids_of("{name: moons, label_noise: 0}") == ids_of("moons")
    assert ids_of("{name: digits, classes: [0, 1]}") == ids_of("digits")
    entries = "[moons, {name: moons, label_noise: 0.1}, digits, {name: digits, classes: [3, 8]}]"
    found = plan(objectives="mle", seeds="1", datasets=entries)
    assert list(found.groups.values()) == [
        "moons label-noise=0 mle",
        "moons label-noise=0.1 mle",
        "digits classes=0-1 test=260 mle",
        "digits classes=3-8 test=257 mle",
    ]
    assert [t.config.dataset.test for t in found.trials] == [1000, 1000, 260, 257]
    with pytest.raises(SpecError, match=r"classes: only digits, mnist, fashion_mnist have classes"):
        plan(datasets="[{name: moons, classes: [0, 1]}]")
    with pytest.raises(SpecError, match=r"datasets\[0\].label_noise: must be at most 0.5"):
        plan(datasets="[{name: moons, label_noise: 0.7}]")
