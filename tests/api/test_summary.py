"""What a run hands back, from an outcome with numbers worked out by hand."""

import math

import pytest

from qhn.api.summary import SweepSummary
from qhn.core.metrics import BY_NAME
from qhn.sweeps.driver.run import RunOutcome
from qhn.sweeps.driver.summary import RunSummary
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.statistics import summarise
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialError, TrialResult

SWEEP = "{name: s, datasets: moons, objectives: [mle, {name: elbo, lambda: 2}], seeds: 3}"
TRIALS = make_plan(parse_spec(SWEEP)).trials


def result(trial, nll):
    metrics = dict.fromkeys(BY_NAME, 0.5) | {"nll": nll}
    return TrialResult(trial.trial_id, "finished", 250, metrics, {}, (), 1.0, 0, 1)


@pytest.fixture
def summary():
    """Three results of mle, one of elbo and one failure."""
    mle = [trial for trial in TRIALS if trial.config.objective.name == "mle"]
    elbo = [trial for trial in TRIALS if trial.config.objective.name == "elbo"]
    results = {t.trial_id: result(t, nll) for t, nll in zip(mle, (1.0, 2.0, 6.0), strict=True)}
    results[elbo[0].trial_id] = result(elbo[0], 4.0)
    errors = {elbo[1].trial_id: TrialError("no luck", "", 1, {"diverged": 7})}
    account = RunSummary(
        sweep="s",
        trials=6,
        finished=3,
        failed=1,
        skipped=1,
        stopped=0,
        remaining=1,
        interrupted=False,
        training_seconds=4.0,
        wall_seconds=61.2,
        slots=2,
        overhead_ms_per_trial=1.0,
        results_digest="abc",
        untracked=0,
    )
    groups = summarise(make_rows(TRIALS, results, errors))
    return SweepSummary(RunOutcome(account, groups, [(elbo[1], "no luck")], ["a note"]))


def test_counts_and_failures(summary):
    assert summary.trials == summary.finished + summary.finished_before + summary.failed + 1
    (message,) = summary.failures.values()
    assert (message, summary.notes) == ("no luck", ("a note",))
    assert repr(summary) == (
        "<SweepSummary 's': 4 of 6 trials finished, 1 of them before this run, 1 failed, 1 left, "
        "in 0:01:01>"
    )


def test_groups_are_a_table(summary):
    table = summary.to_frame().set_index("objective.name")
    assert table[["planned", "trials", "failed"]].to_numpy().tolist() == [[3, 3, 0], [3, 1, 1]]
    assert table["flags"].tolist() == ["", "diverged=1"]
    # 1, 2 and 6 have the mean 3 and the sample variance (4 + 1 + 9) / 2 = 7.
    mle = table.loc["mle"]
    assert mle.nll_mean == 3.0
    assert mle.nll_deviation == pytest.approx(math.sqrt(7))
    half = 4.302652729911275 * math.sqrt(7 / 3)  # t(0.975, 2)
    assert (mle.nll_low, mle.nll_high) == pytest.approx((3 - half, 3 + half))
    assert table.loc["elbo"].nll_mean == 4.0 and math.isnan(table.loc["elbo"].nll_deviation)
    assert "seed" not in table and table["objective.lambda.value"].isna().tolist() == [True, False]
