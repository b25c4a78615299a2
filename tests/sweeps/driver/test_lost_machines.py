"""A sweep on a Ray whose machines are lost, and on which others join."""

import json

import pytest
from ray_machines import RayMachines

from qhn.sweeps.driver.deaths import RESTARTS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# The trial takes some seconds, so that a machine can be lost while it runs, again and again.
SPEC = """
name: lost
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle]
devices: [{name: exact, noise: 0.1, trajectories: 500}]
seeds: 1
training: {steps: 500, report_every: 100}
"""


@pytest.fixture
def machines(tmp_path):
    machines = RayMachines(tmp_path)
    try:
        machines.head(tmp_path, "--num-cpus=0", "--include-dashboard=false")
        yield machines
    finally:
        machines.end()


def test_a_trial_of_lost_machines_goes_on_where_others_join(qhn, new_qhn, machines, tmp_path):
    file, summary = qhn.write(SPEC), tmp_path / "summary.json"
    (trial,) = qhn.trials(file)

    def steps():
        found = qhn.store.checkpoint(trial)
        return 0 if found is None else found.step

    # Nothing can run before a machine has joined.
    options = ["--address", machines.address, "--summary", summary]
    driver = qhn.start("sweep", "run", file, *options)
    qhn.wait(driver, lambda: qhn.store.sweep("lost").lock.holder() is not None)
    machines.join(tmp_path, "--num-cpus=1")
    # The trial loses one machine more than it may lose processes on one that lives on.
    for _ in range(RESTARTS + 1):
        before = steps()
        qhn.wait(driver, lambda before=before: steps() > before)
        machines.lose_last()
        machines.join(tmp_path, "--num-cpus=1")
    assert qhn.store.result(trial) is None
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    (tmp_path / "calm").mkdir()
    calm = new_qhn(tmp_path / "calm")
    assert calm.train(calm.write(SPEC)) == json.loads(summary.read_text())["results_digest"]
    qhn.check_tracking(file, "lost", 500)
