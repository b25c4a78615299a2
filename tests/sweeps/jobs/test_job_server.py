"""Sweeps through the job server of a real Ray that asks for a token."""

import json
import socket

import pytest
from job_server_process import JobServerProcess

QUICK = "{name: quick, datasets: moons, objectives: mle, seeds: 2, training: {steps: 20}}"
LONG = """
name: long
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle]
seeds: %s
training: {steps: 60000, report_every: 20000}
"""
PLANTED = "planted-password"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, new_qhn):
    """A command line on a laptop that shares nothing with the cluster but the address and token.

    The store of the cluster is `cluster.store`. Only the tests look into it.
    """
    qhn = new_qhn(tmp_path_factory.mktemp("cluster"))
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    folder = tmp_path_factory.mktemp("head")
    # The head may have been started where somebody has just used it.
    environment = {"QHN_ADDRESS": f"http://127.0.0.1:{port}", "QHN_STORE": str(qhn.root)}
    server = JobServerProcess(folder, port, environment | {"MLFLOW_TRACKING_PASSWORD": PLANTED})
    del qhn.environment["QHN_STORE"]
    laptop = tmp_path_factory.mktemp("laptop")
    qhn.environment |= {"HOME": str(laptop), "QHN_ADDRESS": server.address}
    # The token lies where Ray looks for it without being told.
    (laptop / ".ray").mkdir()
    (laptop / ".ray" / "auth_token").write_text(server.token.read_text())
    qhn.laptop = laptop
    try:
        server.start()
        yield qhn
    finally:
        qhn.close()
        server.end()


def state_of(qhn, name):
    return json.loads(qhn.process("sweep", "status", name, "--json"))


def test_a_submitted_sweep_is_followed_to_its_end_and_asked_about(cluster):
    file = cluster.write(QUICK)
    output = cluster.process("sweep", "submit", file, "--wait")
    assert "quick: 2 trials, handed over as qhn-run-quick-" in output
    assert "attached to 127.0.0.1" in output
    assert "All 2 trials finished in" in output
    assert cluster.process("sweep", "logs", "quick") in output
    # Nothing came from, or went to, the machine that has submitted it.
    assert not (cluster.laptop / ".qhn").exists()
    assert cluster.store.sweep("quick").read_file() == QUICK
    assert state_of(cluster, "quick") == {"planned": 2, "finished": 2, "failed": 0, "running": 0}
    shown = cluster.process("sweep", "show", "quick")
    assert "quick: all 2 trials are finished." in shown and "±" in shown
    assert "no sweep named 'other'" in cluster.process("sweep", "status", "other", code=2)


def test_a_stopped_sweep_is_saved_and_ends_with_the_same_numbers(cluster, new_qhn):
    """`stop` ends it in order, and `stop --now` kills it. Submitted again, each time it goes on."""
    first = cluster.write(LONG % 2)
    ids = cluster.trials(first)
    undisturbed = new_qhn(cluster.laptop)
    digest = undisturbed.train(undisturbed.write(LONG % 2))
    # There are many more trials, so that no machine is too fast to be stopped.
    many = cluster.write(LONG % 200)
    output = cluster.process("sweep", "submit", many)
    assert "qhn sweep stop long" in output
    refused = cluster.process("sweep", "submit", many, code=2)
    assert "one job at a time may run sweep 'long'" in refused
    stopped = cluster.process("sweep", "stop", "long")
    assert "Sent a stop to process" in stopped and "It has ended after" in stopped
    # Its end was printed in order, although it may take longer than Ray waits after its own stop.
    log = cluster.process("sweep", "logs", "long")
    assert "Interrupted. To go on, submit it again" in log and "are left." in log
    assert any(cluster.store.checkpoint(trial) or trial in done(cluster, ids) for trial in ids)
    output = cluster.process("sweep", "submit", many)
    assert "handed over" in output
    killed = cluster.process("sweep", "stop", "long", "--now")
    assert "Killed process" in killed
    assert "the process that ran the sweep was killed" in cluster.process("sweep", "logs", "long")
    last = cluster.process("sweep", "submit", cluster.write(LONG % 2), "--wait")
    assert f"results digest {digest[:16]}" in last


def done(qhn, ids):
    return qhn.store.finished(ids)


def test_a_wrong_token_starts_nothing(cluster):
    jobs = len(cluster.process("sweep", "logs", "quick"))
    file = cluster.write(QUICK.replace("quick", "forbidden"))
    token = cluster.laptop / ".ray" / "auth_token"
    right = token.read_text()
    try:
        token.write_text("8" * 64)
        output = cluster.process("sweep", "submit", file, code=2)
    finally:
        token.write_text(right)
    assert output.count("error:") == 1
    assert "must accept the token of this user" in output
    assert jobs == len(cluster.process("sweep", "logs", "quick"))
    assert not cluster.store.sweep("forbidden").exists()


def test_no_secret_is_told_about_jobs(cluster):
    """What Ray shows about jobs has neither the password of the cluster nor the sweep file."""
    from qhn.sweeps.jobs.ray_server import open_server

    with pytest.MonkeyPatch.context() as here:
        here.setenv("HOME", str(cluster.laptop))
        server = open_server(cluster.environment["QHN_ADDRESS"])
    jobs = server.jobs()
    # None of them has lost its name.
    assert {"run", "stop"} <= {state.about["qhn"] for state in jobs}
    told = repr([server._client.get_job_info(state.job_id) for state in jobs])
    assert PLANTED not in told and "7" * 64 not in told and "objectives" not in told
