"""What lanes are expected to take, against numbers that were computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from queued_examples import Oracle

from qhn.core.training.history import History
from qhn.devices import DEVICES
from qhn.lanes import Usage
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.planning.prices import Need, amount_text, lane_prices, need, over_budget
from qhn.sweeps.spec import parse_spec


@pytest.fixture(autouse=True)
def oracle(monkeypatch):
    monkeypatch.setitem(DEVICES, "oracle", Oracle)


def plan(devices="oracle", lanes="{}", seeds=4, steps=20):
    return make_plan(
        parse_spec(
            f"{{name: x, datasets: moons, networks: {{hidden: 1}}, objectives: mle, "
            f"seeds: {seeds}, devices: {devices}, lanes: {lanes}, training: {{steps: {steps}}}}}"
        )
    )


def price(**changes):
    (found,) = lane_prices(plan(**changes))
    return found


class TestNeed:
    def config(self, estimator="shift", steps=40, shots=8):
        device = {"name": "exact", "shots": shots, "estimator": estimator}
        return TrialConfig.model_validate(
            {
                "dataset": {"name": "moons", "train": 10, "test": 10},
                "network": {"hidden": 1},
                "objective": {"name": "mle"},
                "training": {"steps": steps},
                "device": device,
                "seed": 0,
            }
        )

    @pytest.mark.parametrize("shots", [8, {"schedule": "cosine", "start": 2, "end": 30}])
    @pytest.mark.parametrize("estimator", ["shift", "spsa"])
    def test_it_is_what_a_training_asks_of_its_device(self, estimator, shots):
        config = self.config(estimator, shots=shots)
        calls = []

        class Counting:
            def sample(self, sets, shots, key):
                calls.append((len(sets), shots))
                return handle.sample(sets, shots, key)

            def __getattr__(self, name):
                return getattr(handle, name)

        with config.device.open(factory.ansatz(config)) as handle:
            trainer = factory.trainer(config, factory.problem(config), Counting())
            after = {}
            while not trainer.finished:
                after[trainer.step] = len(calls)
                trainer.advance()
        assert isinstance(trainer.history, History)
        for begun in (0, 1, 10, 40):
            left = calls[after[begun] :]
            circuits = sum(sets for sets, _ in left)
            shots = sum(sets * of_each for sets, of_each in left)
            assert need(config, begun) == Need(len(left), circuits, shots)
        assert need(config).evaluations == 41


def test_a_lane_that_sends_steps_one_by_one():
    found = price(devices="{name: oracle, plan: single, shots: 10}")
    # 4 trials have 21 evaluations of 37 circuits; each job takes 4 s, and costs 0.3 and 370 shots
    # at 0.01.
    assert (found.trials, found.evaluations, found.jobs) == (4, 84, 84)
    assert found.circuits == 84 * 37
    assert found.expected.shots == 84 * 370
    assert found.expected.qpu_seconds == pytest.approx(84 * 4.0)
    assert found.expected.cost == pytest.approx(84 * 4.0)
    assert found.separately == found.expected
    # All trials are alive at once, and the processor is never without a job.
    assert (found.seconds, found.held_up_by) == (pytest.approx(84 * 4.0), "the processor")
    assert found.per_trial.shots == 21 * 370
    assert found.per_trial.qpu_seconds == pytest.approx(84.0)
    assert found.per_trial.cost == pytest.approx(84.0)


def test_a_lane_that_sends_several_steps_in_a_job():
    lanes = "{q: {devices: oracle, jobs_in_flight: 2, live_trials: 8, requests_per_job: 6}}"
    found = price(lanes=lanes, seeds=8)
    # With 2 jobs in flight and 8 trials alive, 4 steps go out together: 168 steps in 42 jobs.
    assert (found.evaluations, found.jobs) == (168, 42)
    seconds = 42 * (2.0 + 4 * 3700 * 0.0001)
    assert found.expected.qpu_seconds == pytest.approx(seconds)
    assert found.expected.cost == pytest.approx(1.6 * seconds)
    alone = 168 * (2.0 + 3700 * 0.0001)
    assert found.separately.cost == pytest.approx(1.6 * alone)
    # 5 submissions a minute would take 504 s. The queue of 8 s takes longer: 42 jobs of 11.48 s in
    # two places, or the 21 steps of a trial one after the other.
    assert found.seconds == pytest.approx(504.0)
    assert found.held_up_by == "the limit of submissions"
    assert found.days == pytest.approx(504 / 86_400)


def test_a_job_has_no_two_steps_of_one_trial():
    found = price(seeds=1)
    assert (found.evaluations, found.jobs) == (21, 21)
    assert found.held_up_by == "the limit of submissions"


def test_spsa_takes_as_many_jobs_for_fewer_shots():
    shift = price(seeds=1)
    spsa = price(devices="{name: oracle, estimator: spsa}", seeds=1, steps=400)
    # Two circuits at 401 steps, and one more at the 41 reports.
    assert spsa.circuits == 2 * 401 + 41
    assert spsa.jobs == 401 > shift.jobs
    assert spsa.expected.cost > 10 * shift.expected.cost


def test_what_is_over_does_not_count_and_what_has_begun_counts_in_part():
    whole = plan()
    ids = [trial.trial_id for trial in whole.trials]
    (found,) = lane_prices(whole, over=ids[:2], begun={ids[2]: 5, ids[0]: 3})
    assert (found.trials, found.evaluations) == (2, 16 + 21)
    (nothing,) = lane_prices(whole, over=ids)
    assert (nothing.jobs, nothing.expected, nothing.seconds) == (0, Usage(), 0.0)


@pytest.mark.parametrize(
    ("budget", "spent", "over"),
    [
        ("{shots: 310800}", Usage(), []),
        ("{shots: 310800}", Usage(shots=1), ["shots"]),
        ("{shots: 310799, cost: 1, qpu_seconds: 1}", Usage(), ["shots", "qpu_seconds", "cost"]),
        # Each trial has 21 x 3,700 shots.
        ("{shots: 77700, per: trial}", Usage(shots=9999), []),
        ("{shots: 77699, per: trial}", Usage(), ["shots"]),
    ],
)
def test_budgets(budget, spent, over):
    found = price(lanes=f"{{q: {{devices: oracle, budget: {budget}}}}}")
    assert [name for name, _ in over_budget(found, spent)] == over


def test_the_message_about_a_budget():
    found = price(lanes="{q: {devices: oracle, budget: {shots: 1000}}}")
    assert dict(over_budget(found)) == {
        "shots": "the budget of the lane q is 1,000 shots for the sweep, but the sweep is expected "
        "to take 310,800 shots; raise the budget, ask for less, or run it with --over-budget until "
        "the budget is spent"
    }
    assert ", of which 9 were used before; raise" in dict(over_budget(found, Usage(9)))["shots"]
    assert list(over_budget(replace(found, lane=replace(found.lane, budget=None)))) == []


@pytest.mark.parametrize(
    ("amount", "text"),
    [(3, "3"), (4.35, "4.35"), (10.0, "10"), (0.001, "0.01"), (1e6 + 0.5, "1,000,000.50")],
)
def test_amounts_are_rounded_up(amount, text):
    assert amount_text(amount) == text
