"""A sweep on a cluster on this machine, and where its secrets are and are not."""

import json
import os
import time
import urllib.request
from unittest import mock

import psutil
import pytest
from local_cluster import LANE, PLANTED
from test_local_access import beyond

from qhn.devices.rehearsal.record import Record

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SPEC = """
name: on-cluster
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle]
devices:
  - exact
  - {name: rehearsal, shots: 16, label: qpu-a, speedup: 200, queue_s: 2, folder: %(folder)s}
lanes: {%(lane)s: {devices: [qpu-a], jobs_in_flight: 2}}
seeds: 3
training: {steps: 3, report_every: 3}
"""
# These files of a cluster hold its secrets, and only its user can read them.
SECRET_FILES = {"keys.json", "ray-token", "pgpass"}
_LIMIT_S = 240


class Told:
    """Where secrets were seen."""

    def __init__(self, secrets):
        self._secrets = [secret.encode() for secret in secrets]
        self.places = set()
        self.looked = 0

    def look(self, place, content):
        """Look for the secrets in some bytes."""
        self.looked += 1
        if any(secret in content for secret in self._secrets):
            self.places.add(str(place))

    def look_at_commands(self):
        """Look at what `ps` shows of all processes of this machine."""
        for process in psutil.process_iter():
            try:
                self.look(process.pid, " ".join([*process.cmdline(), process.name()]).encode())
            except (psutil.Error, OSError):
                continue

    def look_at_files(self, folder):
        """Look at all files of a cluster, among them its logs and its database."""
        for path in folder.rglob("*"):
            try:
                if path.is_file() and path.name not in SECRET_FILES:
                    self.look(path, path.read_bytes())
            except OSError:  # it is gone by now
                continue

    def look_at_store(self, store):
        """Look at everything in a store."""
        for key in store.backend.list(""):
            self.look(key, store.backend.get(key) or b"")


def ask(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["data"]


def test_a_sweep_uses_its_nodes_and_tells_no_secret(local_cluster, qhn, tmp_path):
    environment = local_cluster.environment
    token = local_cluster.secrets["ray"]
    told = Told([*local_cluster.secrets.values(), *PLANTED.values()])
    qhn.environment |= environment
    record = tmp_path / "processor"
    file = qhn.write(SPEC % {"folder": record, "lane": LANE})
    summary = tmp_path / "summary.json"
    address = environment["QHN_RAY_ADDRESS"]
    driver = qhn.start("sweep", "run", file, "--address", address, "--summary", summary)
    listening, deadline = [], time.monotonic() + _LIMIT_S
    while driver.poll() is None:
        assert time.monotonic() < deadline, "the sweep has not ended"
        told.look_at_commands()
        listening += beyond(local_cluster.processes() + below(driver))[0]
        time.sleep(1)  # each look takes time that the sweep could use
    output = driver.communicate()[0]
    assert driver.returncode == 0, output
    assert listening == []
    assert json.loads(summary.read_text())["finished"] == 6

    # Trials of the lane have lived on the gateway only, and simulated ones elsewhere.
    base = environment["QHN_ADDRESS"]
    nodes = ask(f"{base}/nodes?view=summary", token)["summary"]
    names = {node["raylet"]["nodeId"]: node["raylet"]["nodeName"] for node in nodes}
    actors = ask(f"{base}/api/v0/actors?detail=true&limit=1000", token)["result"]["result"]
    places = {f"lane:{LANE}": set(), "CPU": set()}
    for actor in actors:
        # Their names go on with the name of the group in which they were reserved.
        needs = actor["required_resources"]
        for kind, found in places.items():
            if any(need.startswith(f"{kind}_group") for need in needs):
                found.add(names[actor["node_id"]])
    assert places == {f"lane:{LANE}": {"gateway"}, "CPU": {"worker-1"}}
    with Record(record) as found:
        assert found.jobs() and found.paid_twice() == {}

    with mock.patch.dict(os.environ, environment):
        from mlflow.tracking import MlflowClient

        from qhn.sweeps.store import open_store

        client = MlflowClient()
        experiment = client.get_experiment_by_name("on-cluster").experiment_id
        runs = client.search_runs([experiment], "tags.`qhn.kind` = 'trial'")
        told.look_at_store(open_store(environment["QHN_STORE"]))
    assert [run.info.status for run in runs] == ["FINISHED"] * 6
    told.look_at_files(local_cluster.folder)
    told.look("output", output.encode())
    assert told.looked > 1000
    assert told.places == set()


def below(driver):
    """The processes of a driver."""
    try:
        process = psutil.Process(driver.pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def test_a_providers_secret_is_at_the_gateway_alone(local_cluster):
    for part in local_cluster.status():
        environments = []
        for process in local_cluster.processes(part):
            try:
                environments.append(json.dumps(process.environ()))
            except psutil.Error:
                continue
        with_secret = [PLANTED["gateway"] in found for found in environments]
        assert environments and any(with_secret) == (part == "gateway"), part
        assert not any(PLANTED["terminal"] in found for found in environments)
