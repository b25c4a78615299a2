"""The sweep files that come with qhn can be planned on any machine, without network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.planning.prices import lane_prices, over_budget
from qhn.sweeps.spec import load_spec

FILES = sorted((Path(__file__).parents[3] / "sweeps").rglob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_planned_within_its_budgets(file):
    plan = make_plan(load_spec(file))
    assert plan.trials
    # People find the file by the name of the sweep.
    assert plan.name == file.stem
    ids = {trial.trial_id for trial in plan.trials}
    assert all(trial.parent in ids for trial in plan.trials if trial.parent is not None)
    for price in lane_prices(plan):
        assert list(over_budget(price)) == []


@pytest.mark.parametrize(
    ("name", "lane", "devices"),
    [("rehearsal", "qpu", {"exact", "rehearsal"}), ("hardware", "torino", {"exact", "qiskit"})],
)
def test_files_with_a_lane_have_simulated_trials_beside_it(name, lane, devices):
    plan = make_plan(load_spec(next(file for file in FILES if file.stem == name)))
    assert {trial.config.device.name for trial in plan.trials} == devices
    assert {trial.lane for trial in plan.trials} == {None, lane}
    (price,) = lane_prices(plan)
    assert price.expected.cost > 0


def test_hardware_is_planned_without_qiskit_and_without_network():
    file = next(file for file in FILES if file.stem == "hardware")
    code = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): raise AssertionError('a plan must not use the network')\n"
        "socket.socket.connect = refuse\n"
        "from qhn.sweeps.planning.plan import make_plan\n"
        "from qhn.sweeps.planning.prices import lane_prices\n"
        "from qhn.sweeps.spec import load_spec, notes, read_spec\n"
        f"notes(read_spec({str(file)!r}))\n"
        f"lane_prices(make_plan(load_spec({str(file)!r})))\n"
        "heavy = {'qiskit', 'qiskit_ibm_runtime', 'qiskit_aer', 'pennylane', 'numba'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
