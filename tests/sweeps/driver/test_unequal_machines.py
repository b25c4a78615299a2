"""A sweep on a Ray that a machine joins which is too small for its trials."""

import json
import os
import subprocess
import sys

import pytest
from ray_machines import RayMachines

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SPEC = """
name: unequal
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle]
seeds: 2
training: {steps: 5}
"""
MIB = 2**20
# Ray keeps a record of each actor that it has started, with the machine.
ACTORS = """
import json, sys, ray
from ray._private.state import actors
ray.init(address=sys.argv[1], log_to_driver=False)
sizes = {node["NodeID"]: node["Resources"]["memory"] for node in ray.nodes()}
found = [(a["ActorClassName"], sizes[a["Address"]["NodeID"]]) for a in actors().values()]
print(json.dumps(found))
"""


@pytest.fixture
def machines(tmp_path):
    machines = RayMachines(tmp_path)
    try:
        machines.head(tmp_path, "--num-cpus=0", "--include-dashboard=false")
        yield machines
    finally:
        machines.end()


def started_actors(machines):
    done = subprocess.run(
        [sys.executable, "-P", "-c", ACTORS, machines.address],
        env=os.environ | {"RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return {(name.split(".")[-1], int(memory)) for name, memory in json.loads(done.stdout)}


def test_a_machine_that_joins_and_is_too_small_gets_no_trial(qhn, machines, tmp_path):
    driver = qhn.start("sweep", "run", qhn.write(SPEC), "--address", machines.address)
    # Nothing can run on the head, not even the process for the tables, which needs no resources.
    qhn.wait(driver, lambda: qhn.store.sweep("unequal").lock.holder() is not None)
    machines.join(tmp_path, "--num-cpus=2", f"--memory={300 * MIB}")
    qhn.wait(driver, lambda: "ray::Tables" in machines.last_names())
    machines.join(tmp_path, "--num-cpus=1", f"--memory={600 * MIB}")
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    expected = {("Tables", 300 * MIB), ("ResourceTrainable", 600 * MIB)}
    assert started_actors(machines) == expected
