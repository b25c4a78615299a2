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
SMALL, LARGE = 300 * MIB, 2048 * MIB
# All actors that Ray has started. Then the places where large tables would be made, as often as
# memory for them can be reserved, and once more. Nothing is made there.
LOOK = """
import json, sys, ray
from ray._private.state import actors
from qhn.sweeps.driver.attached_ray import cluster_now
from qhn.sweeps.driver.placement import placement_of
from qhn.sweeps.driver.tables_place import making_bytes, place_tables
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
address, text = sys.argv[1:]
ray.init(address=address, log_to_driver=False)
nodes = cluster_now(address).nodes
sizes = {node.id: node.ray_memory for node in nodes}
trials = make_plan(parse_spec(text, "large")).trials
placement, needed = placement_of(trials, nodes), making_bytes(trials, 3)
times = max(sizes.values()) // needed + 1
places = [place_tables(trials, nodes, placement, 3) for _ in range(times)]
print(json.dumps({
    "started": [(a["ActorClassName"], sizes[a["Address"]["NodeID"]]) for a in actors().values()],
    "places": [place["label_selector"]["ray.io/node-id"] for place in places],
    "sizes": sizes,
}))
"""
# Circuits of 22 qubits, on three data sets.
LARGE_TABLES = """
name: large
datasets:
  - {name: moons, train: 20, test: 20}
  - {name: ring, train: 20, test: 20}
  - {name: gaussian, train: 20, test: 20}
networks: [{kind: mlp, hidden: 5}]
objectives: [mle]
seeds: 1
"""


@pytest.fixture
def machines(tmp_path):
    machines = RayMachines(tmp_path)
    try:
        machines.head(
            tmp_path, "--num-cpus=0", f"--memory={LARGE - MIB}", "--include-dashboard=false"
        )
        yield machines
    finally:
        machines.end()


def look(machines):
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK, machines.address, LARGE_TABLES],
        env=os.environ | {"RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_machine_that_joins_and_is_too_small_gets_no_trial(qhn, machines, tmp_path):
    driver = qhn.start("sweep", "run", qhn.write(SPEC), "--address", machines.address)
    # Nothing can run on the head, not even the process for the tables, which needs no resources.
    qhn.wait(driver, lambda: qhn.store.sweep("unequal").lock.holder() is not None)
    machines.join(tmp_path, "--num-cpus=2", f"--memory={SMALL}")
    qhn.wait(driver, lambda: "ray::Tables" in machines.last_names())
    machines.join(tmp_path, "--num-cpus=1", f"--memory={LARGE}")
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    found = look(machines)
    started = {(name.split(".")[-1], memory) for name, memory in found["started"]}
    assert started == {("Tables", SMALL), ("ResourceTrainable", LARGE)}
    # The head would have enough memory as well, and Ray takes no more than there is.
    (large,) = [name for name, memory in found["sizes"].items() if memory == LARGE]
    *reserved, without = found["places"]
    assert reserved == [large] * len(reserved) and len(reserved) > 1
    assert without == f"in({large})"
