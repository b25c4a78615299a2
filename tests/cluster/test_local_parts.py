"""`cluster/local up` and `down`, and what becomes of a cluster whose parts end."""

import socket
import time

import psutil
import pytest
from local_cluster import LocalCluster

HEALTHY = dict.fromkeys(("head", "mlflow", "postgres", "s3", "gateway", "worker-1"), "healthy")
# A module of this name ends the MLflow server at once.
BROKEN = "raise SystemExit('MLflow is broken')"


def marked(folder):
    """The processes of a cluster, whatever is written down about it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("QHN_TOPOLOGY") == str(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def test_a_second_start_changes_nothing(local_cluster):
    before = local_cluster.status()
    assert "is up" in local_cluster("up")
    after = local_cluster.status()
    assert {name: part["state"] for name, part in after.items()} == HEALTHY
    assert [part["pid"] for part in after.values()] == [part["pid"] for part in before.values()]
    assert "other options" in local_cluster("up", "--workers", 2, code=2)
    assert local_cluster.status().keys() == before.keys()


def test_a_part_is_lost_and_comes_back(local_cluster):
    for name in ("worker-1", "postgres", "s3"):
        before = local_cluster.status()
        local_cluster("kill", name)
        assert local_cluster.states()[name] == "down"
        assert not [pid for pid in before[name]["pids"] if psutil.pid_exists(pid) and lives(pid)]
        local_cluster("start", name)
        after = local_cluster.status()
        assert after[name]["state"] == "healthy" and after[name]["pid"] != before[name]["pid"]
        # Ray's head would confuse a node with the lost one at the same address.
        same = name != "worker-1"
        for port, number in after[name]["ports"].items():
            assert (number == before[name]["ports"][port]) == same
        assert after["head"]["pid"] == before["head"]["pid"]
    until(lambda: local_cluster.states() == HEALTHY)


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)


def test_with_a_new_head_all_nodes_are_started_again(local_cluster):
    before = local_cluster.status()
    local_cluster("kill", "head")
    assert "head, which is down" in local_cluster("start", "worker", code=2)
    local_cluster("start", "head")
    after = local_cluster.status()
    assert {name: part["state"] for name, part in after.items()} == HEALTHY
    for name in ("head", "gateway", "worker-1"):
        assert after[name]["pid"] != before[name]["pid"]
    assert after["mlflow"]["pid"] == before["mlflow"]["pid"]


def test_a_paused_part_says_so(local_cluster):
    local_cluster("pause", "s3")
    assert local_cluster.states() == HEALTHY | {"s3": "paused"}
    local_cluster("unpause", "s3")
    assert local_cluster.states() == HEALTHY


def test_parts_that_there_are_not_are_named(local_cluster):
    for command in ("kill", "stop", "start", "pause", "unpause"):
        said = local_cluster(command, "worker-x", code=2)
        assert "must be one of head, mlflow, postgres, s3, gateway, worker-1" in said


@pytest.fixture
def cluster(short_folder):
    found = LocalCluster(short_folder)
    yield found
    found("down")


def test_a_start_that_fails_leaves_nothing_running(cluster, short_folder, tmp_path):
    (tmp_path / "mlflow.py").write_text(BROKEN)
    broken = LocalCluster(short_folder, {"PYTHONPATH": str(tmp_path)})
    options = ("--no-postgres", "--store", tmp_path / "store")
    said = broken("up", *options, code=2)
    assert "mlflow must run, but it has ended" in said and "MLflow is broken" in said
    assert marked(short_folder) == []
    # It can be started again, and ended, as often as one likes.
    assert "MLflow is broken" in broken("up", *options, code=2)
    broken("down")
    assert not short_folder.exists()
    broken("down")


def test_what_must_be_mended_first_starts_nothing(cluster, short_folder, tmp_path):
    assert "must be readable" in cluster("up", "--gateway-env", tmp_path / "none", code=2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if port < 65000:
            assert f"{port} (head dashboard)" in cluster("up", "--port", port, code=2)
    assert "--port must be" in cluster("up", "--port", 80, code=2)
    assert "NAME=N" in cluster("up", "--lanes", "qpu", code=2)
    assert marked(short_folder) == []
