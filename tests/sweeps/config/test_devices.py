"""Devices in configurations: one that only samples is registered here, as a later one would be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
from pydantic import ValidationError

from qhn.core.errors import InvalidValueError
from qhn.devices import DEVICES, Capabilities
from qhn.sweeps.config.devices import DeviceConfig, device_config, device_from_word
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import InvalidSpecError, parse_spec

CONSTANT = {"schedule": "constant", "value": 1.0}


@dataclass(frozen=True)
class Dice:
    """Only samples, and refuses to be opened."""

    kind: ClassVar[str] = "dice"
    shots: int = 1000
    mitigation: str | None = None

    def __post_init__(self):
        if self.shots < 1:
            raise InvalidValueError(f"`shots >= 1` must hold, but got shots={self.shots}")

    @property
    def capabilities(self):
        return Capabilities(
            distribution=False,
            samples=True,
            log_q=False,
            reproducible=False,
            queued=True,
            submission="findable",
            circuits_per_job=300,
        )

    def open(self, ansatz):
        raise AssertionError("nothing in this file may open a device")


@pytest.fixture
def dice(monkeypatch):
    monkeypatch.setitem(DEVICES, "dice", Dice)


def config(device, objective=None):
    objective = objective or {"name": "mle"}
    return TrialConfig.model_validate(
        {"dataset": {"name": "moons"}, "objective": objective, "device": device, "seed": 0}
    )


def test_exact_is_written_as_ever():
    for content in ({"name": "exact"}, {}, device_config({}), DeviceConfig(name="exact")):
        assert config(content).content()["device"] == {"name": "exact"}
    assert config({"name": "exact"}) == config({})
    assert config({}).device.capabilities.distribution


class TestShots:
    def test_are_part_of_the_trial_and_left_out_where_there_are_none(self):
        made = config({"name": "exact", "shots": 256})
        assert made.content()["device"] == {"name": "exact", "shots": 256}
        assert TrialConfig.from_json(made.to_json()) == made
        assert not made.device.capabilities.distribution
        assert (made.device.capabilities.shots, made.device.sample_estimator) == (256, "shift")
        assert config({"name": "exact", "shots": None}).trial_id == config({}).trial_id

    def test_the_estimator_is_part_of_the_trial_but_what_goes_without_saying_is_not(self):
        plain = config({"name": "exact", "shots": 256})
        named = config({"name": "exact", "shots": 256, "estimator": "shift"})
        other = config({"name": "exact", "shots": 256, "estimator": "spsa"})
        assert named == plain and named.trial_id == plain.trial_id
        assert other.trial_id != plain.trial_id
        assert other.device.sample_estimator == "spsa"

    def test_a_word_may_hold_them(self):
        assert device_from_word("exact:1024") == {"name": "exact", "shots": 1024}
        assert device_from_word("exact") == {"name": "exact"}
        assert device_from_word("exact:few") == {"name": "exact", "shots": "few"}
        assert device_from_word("quantum:3") == {"name": "quantum:3"}

    def test_labels_tell_devices_apart(self):
        devices = "[exact, exact:64, {name: exact, shots: 64, estimator: spsa}]"
        text = f"{{name: x, datasets: moons, objectives: mle, seeds: 1, devices: {devices}}}"
        assert list(make_plan(parse_spec(text)).groups.values()) == [
            "moons mle exact", "moons mle exact shots=64", "moons mle exact shots=64 estimator=spsa"
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("device", "line"),
        [
            ("exact:0", "device: `shots >= 1` must hold, but got shots=0"),
            ("exact:-5", "device: `shots >= 1` must hold, but got shots=-5"),
            ("exact:10000001", "device: `shots <= 10000000` must hold, but got shots=10000001"),
            ("exact:many", "device: must be a whole number, but got 'many'"),
            ("{name: exact, shots: 2.5}", "device.shots: must be a whole number, but got 2.5"),
            ("{name: exact, estimator: spsa}", "device: an estimator needs samples, but got "
             "estimator='spsa' without shots; give shots too, or leave it out"),
            ("{name: exact, shots: 9, estimator: sps}", "device.estimator: must be one of shift, "
             "spsa, but got 'sps'; did you mean spsa?"),
            ("quantum:3", f"device: must be one of {', '.join(DEVICES)}, but got 'quantum:3'"),
        ],
    )  # fmt: skip
    def test_mistakes_have_their_line(self, device, line):
        text = f"name: x\ndatasets: moons\nobjectives: mle\nseeds: 1\ndevice: {device}"
        with pytest.raises(InvalidSpecError) as caught:
            parse_spec(text, "f.yaml")
        assert str(caught.value).splitlines()[1:] == [f"  line 5: {line}"]

    def test_objectives_that_samples_do_not_give_are_refused_when_planned(self):
        text = """
            name: x
            datasets: moons
            objectives: [mle, {name: elbo, lambda: 1}]
            devices: [exact, 'exact:64']
            seeds: 1
        """
        with pytest.raises(InvalidSpecError) as caught:
            parse_spec(text, "f.yaml")
        assert str(caught.value).splitlines()[1:] == [
            "  line 4: objectives[1]: elbo needs a device that gives probabilities, but exact with "
            "shots only samples; use selbo, or leave out its shots"
        ]
        with pytest.raises(ValidationError, match="selbo needs at least 2 shots"):
            config(
                {"name": "exact", "shots": 1},
                {"name": "selbo", "lambda": CONSTANT, "bandwidth": 2.0},
            )


@pytest.mark.usefixtures("dice")
class TestRegisteredDevice:
    def test_capabilities_are_had_without_opening(self):
        assert config({"name": "dice"}).device.capabilities.circuits_per_job == 300

    def test_options_are_part_of_the_trial(self):
        made = config({"name": "dice", "shots": 20})
        # An option that is None, as one that is added later would be, is left out.
        assert made.content()["device"] == {"name": "dice", "shots": 20}
        assert TrialConfig.from_json(made.to_json()) == made
        assert made.trial_id != config({"name": "dice"}).trial_id
        assert made.device.build() == Dice(shots=20)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"shots": 0}, "`shots >= 1` must hold, but got shots=0"),
            ({"shots": 2.5}, "integer"),
            ({"shoots": 3}, "not permitted"),
        ],
    )
    def test_wrong_options_are_refused(self, options, message):
        with pytest.raises(ValidationError, match=message):
            config({"name": "dice", **options})

    def test_elbo_is_refused_where_a_trial_is_made(self):
        with pytest.raises(ValidationError, match="elbo needs a device that gives probabilities"):
            config({"name": "dice"}, {"name": "elbo", "lambda": CONSTANT})
        for objective in (
            {"name": "mle"},
            {"name": "selbo", "lambda": CONSTANT, "bandwidth": 2.0},
        ):
            assert config({"name": "dice"}, objective)

    def test_a_sweep_runs_on_it_by_its_word(self):
        text = "{name: x, datasets: moons, objectives: mle, seeds: 1, devices: [exact, dice]}"
        spec = parse_spec(text)
        plan = make_plan(spec)
        assert [trial.config.device.name for trial in plan.trials] == ["exact", "dice"]
        assert list(plan.groups.values()) == ["moons mle exact", "moons mle dice"]
        assert parse_spec(json.dumps(spec.content())) == spec

    @pytest.mark.parametrize("search", ["grid", "{kind: random, draws: 3}"])
    def test_a_sweep_of_elbo_on_it_is_refused_by_its_line(self, search):
        text = f"""
            name: x
            datasets: moons
            objectives:
            - mle
            - {{name: elbo, lambda: [1, 3]}}
            devices: [exact, {{name: dice, shots: 10}}]
            search: {search}
            seeds: 1
        """
        with pytest.raises(InvalidSpecError) as caught:
            parse_spec(text, "f.yaml")
        assert str(caught.value).splitlines()[1:] == [
            "  line 6: objectives[1]: elbo needs a device that gives probabilities, but dice only "
            "samples; use selbo, or another device"
        ]

    def test_mistakes_in_options_have_their_line(self):
        text = "name: x\ndatasets: moons\nobjectives: mle\nseeds: 1\ndevice: {name: dice, shots: a}"
        with pytest.raises(InvalidSpecError) as caught:
            parse_spec(text, "f.yaml")
        line = str(caught.value).splitlines()[1]
        assert line == "  line 5: device.shots: must be a whole number, but got 'a'"


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"shots": 64, "noise": 0.1}, "with shots"),
        ({"shots": 64}, "without noise"),
        ({"noise": 0}, "without noise"),
        ({}, "without noise"),
    ],
)
@pytest.mark.parametrize("trajectories", [128, 64])
def test_trajectories_that_nobody_averages_are_refused(options, where, trajectories):
    """128 of them too, which is the number that goes without saying elsewhere."""
    with pytest.raises(ValidationError, match=f"trajectories={trajectories} {where}; leave them"):
        config({"name": "exact", "trajectories": trajectories, **options})


def test_the_number_of_trajectories_that_goes_without_saying_changes_no_id():
    noisy = {"name": "exact", "noise": 0.1}
    assert config({**noisy, "trajectories": 128}).trial_id == config(noisy).trial_id
    assert config({**noisy, "trajectories": 64}).trial_id != config(noisy).trial_id


def test_a_device_is_forgotten_with_its_registration():
    with pytest.raises(ValidationError, match="'exact'"):
        config({"name": "dice"})
