"""The table of training curves, of histories that were made up."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from qhn.core.metrics import METRICS
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.curves import curves_frame
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store

TRIALS = make_plan(parse_spec("{name: x, datasets: moons, objectives: mle, seeds: 4}")).trials
NAMES = [metric.name for metric in METRICS]
ALL = [*NAMES, "unknown"]


@pytest.fixture
def store():
    return open_store(f"memory://{uuid.uuid4().hex}")


def keep(store, trial, names, steps):
    history = History()
    for step in steps:
        history.append(step, 7, {name: step + ALL.index(name) / 100 for name in names})
    store.save_checkpoint(trial.trial_id, {"step": np.array(steps[-1]), **history.state()})


def test_trials_of_several_versions_make_one_table(store):
    keep(store, TRIALS[0], NAMES, [0, 10, 20])
    # The second trial has not begun. Others have metrics that are too few, or too many.
    keep(store, TRIALS[2], ["nll", "kl"], [0, 10])
    keep(store, TRIALS[3], ["unknown", "nll"], [5])
    table = curves_frame(make_rows(TRIALS, {}, {}), store)
    keys = ["trial_id", "group_id", "seed", "data_seed", "step"]
    assert list(table.columns) == [*keys, *ALL]
    owners = [TRIALS[0]] * 3 + [TRIALS[2]] * 2 + [TRIALS[3]]
    assert table["trial_id"].tolist() == [trial.trial_id for trial in owners]
    assert set(table["group_id"]) == {TRIALS[0].group_id}
    assert table["seed"].tolist() == [0, 0, 0, 2, 2, 3]
    assert table["step"].tolist() == [0, 10, 20, 0, 10, 5]
    assert table["nll"].tolist() == [step + ALL.index("nll") / 100 for step in table["step"]]
    assert table["kl"].notna().tolist() == [True] * 5 + [False]
    assert table["entropy"].notna().tolist() == [True] * 3 + [False] * 3
    assert table["unknown"].tolist()[5] == 5 + len(NAMES) / 100
    assert (table[["seed", "step"]].dtypes == "int64").all()
    assert (table[[*table.columns][5:]].dtypes == "float64").all()


def test_a_sweep_without_a_report_has_the_same_columns(store):
    table = curves_frame(make_rows(TRIALS, {}, {}), store)
    assert (len(table), list(table.columns)[5:]) == (0, NAMES)
    assert (table[["seed", "step"]].dtypes == "int64").all()
