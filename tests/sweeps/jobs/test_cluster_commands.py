"""The commands of ``qhn sweep`` that talk to a cluster, with a scripted job server."""

import shlex

import pytest
from scripted_server import ScriptedServer

from qhn.core.errors import RayError
from qhn.sweeps.jobs import ray_server
from qhn.sweeps.jobs.server import JobState
from qhn.sweeps.store import open_store

ADDRESS = "http://head:8265"
SWEEP = "{name: first, datasets: moons, objectives: mle, seeds: 3}"
TRAINING = "first: 3 trials\ntraining: 0 of 3 trials finished\n"


@pytest.fixture
def script(monkeypatch):
    """Lets the next job server answer from scripts, one for each job that is handed over."""

    def prepare(*scripts):
        server = ScriptedServer(*scripts)
        monkeypatch.setattr(ray_server, "open_server", lambda address: server)
        return server

    return prepare


@pytest.fixture
def cluster(qhn):
    """A command line that has the address in its environment, and a sweep file."""
    qhn.environment["QHN_ADDRESS"] = ADDRESS
    qhn.file = qhn.write(SWEEP)
    return qhn


def one_line(text):
    return " ".join(text.split())


def words(job):
    return shlex.split(job.command)[4:]


def test_a_sweep_is_handed_over_and_left_to_run(cluster, script):
    server = script([("RUNNING", None, TRAINING)])
    output = cluster("sweep", "submit", cluster.file)
    (job,) = server.submitted
    assert f"first: 3 trials, handed over as {job.job_id}" in output
    assert "qhn sweep logs first --follow\n" in output and "qhn sweep stop first\n" in output
    assert server.files == [{"first.yaml": SWEEP.encode()}]
    assert SWEEP not in job.command


def test_a_folder_of_this_machine_is_not_passed_on(cluster, script):
    server = script([("RUNNING", None, TRAINING)], [("RUNNING", None, TRAINING)], [])
    cluster("sweep", "submit", cluster.file)
    assert "--store" not in words(server.submitted[0])
    server.known.clear()
    cluster("sweep", "submit", cluster.file, "--store", "/shared/store")
    assert words(server.submitted[1])[-2:] == ["--store", "/shared/store"]
    server.known.clear()
    cluster.environment["QHN_STORE"] = "s3://bucket/place"
    server.scripts = [[("RUNNING", None, TRAINING)]]
    cluster("sweep", "submit", cluster.file)
    assert words(server.submitted[2])[-2:] == ["--store", "s3://bucket/place"]


def test_all_mistakes_of_a_file_are_found_here(cluster, script):
    server = script()
    file = cluster.write("{name: first, datasets: mars, objectives: nothing}")
    output = cluster("sweep", "submit", file, code=2)
    assert "mars" in output and "nothing" in output
    assert server.submitted == []


def test_without_an_address_nothing_is_submitted(qhn):
    output = qhn("sweep", "submit", qhn.write(SWEEP), code=2)
    assert "the address of a job server must be given" in one_line(output)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 130])
def test_waiting_ends_as_the_sweep(cluster, script, code):
    status = "FAILED" if code else "SUCCEEDED"
    script([(status, code, TRAINING + "the end\n")])
    output = cluster("sweep", "submit", cluster.file, "--wait", code=code)
    assert output.endswith(TRAINING + "the end\n")


def test_what_the_cluster_refuses_is_said_without_waiting(cluster, script):
    script([("FAILED", 2, "error: the store must be writable\n")])
    output = cluster("sweep", "submit", cluster.file, code=2)
    assert output.endswith("error: the store must be writable\n")


def test_a_cluster_without_qhn(cluster, script):
    script([("FAILED", 127, "env: 'qhn': No such file or directory\n")])
    output = cluster("sweep", "submit", cluster.file, code=2)
    assert "must have qhn on the search path" in output


def test_interrupted_while_following_the_sweep_goes_on(cluster, script):
    server = script([("RUNNING", None, TRAINING), ("", None, KeyboardInterrupt())])
    output = cluster("sweep", "submit", cluster.file, "--wait", code=130)
    assert "first goes on. Follow it again with: qhn sweep logs first --follow" in output
    assert "Stop it with: qhn sweep stop first" in output
    assert server.stopped == []


def test_a_sweep_that_runs_already_is_refused_in_one_message(cluster, script):
    server = script([("RUNNING", None, TRAINING)])
    cluster("sweep", "submit", cluster.file)
    output = cluster("sweep", "submit", cluster.file, code=2)
    assert "one job at a time may run sweep 'first'" in output
    assert len(server.submitted) == 1


def test_the_cluster_is_asked_unless_a_named_store_has_the_sweep(cluster, script):
    server = script([("SUCCEEDED", 0, "first: half of it.\n")])
    assert cluster("sweep", "status", "first") == "first: half of it.\n"
    assert words(server.submitted[0]) == ["sweep", "status", "--", "first"]
    cluster.store.sweep("first").save_file(SWEEP)
    named = cluster("sweep", "status", "first", "--store", cluster.root)
    assert "none of the 3 trials" in named
    assert len(server.submitted) == 1


@pytest.mark.parametrize("where", ["the default", "in the environment"])
def test_a_store_of_this_machine_is_not_taken_for_that_of_the_cluster(
    cluster, script, tmp_path, where
):
    store = tmp_path / ".qhn"
    cluster.environment["HOME"] = str(tmp_path)
    if where == "the default":
        del cluster.environment["QHN_STORE"]
    else:
        cluster.environment["QHN_STORE"] = str(store)
    open_store(str(store)).sweep("first").save_file(SWEEP)
    script([("FAILED", 2, "error: no sweep named 'first'\n")])
    output = cluster("sweep", "status", "first", code=2)
    assert output.startswith("error: no sweep named 'first'\n")
    named = "~/.qhn" if where == "the default" else store
    assert "because QHN_ADDRESS is set" in output and f"--store {named}" in output
    # An empty address asks no cluster.
    assert "none of the 3 trials" in cluster("sweep", "status", "first", "--address", "")


def test_options_reach_the_cluster(cluster, script):
    server = script([("SUCCEEDED", 0, "{}\n")], [("SUCCEEDED", 0, "a table\n")])
    assert cluster("sweep", "status", "first", "--json") == "{}\n"
    cluster("sweep", "show", "first", "--by", "nll", "--best", 2)
    assert words(server.submitted[0])[:3] == ["sweep", "status", "--json"]
    assert words(server.submitted[1])[:6] == ["sweep", "show", "--by", "nll", "--best", "2"]
    output = cluster("sweep", "show", "first", "--csv", "a.csv", code=2)
    assert "--csv needs a store that can be read from this machine" in output


def run_of(name, status, text, server, number=1, code=None):
    about = {"qhn": "run", "qhn_sweep": name, "qhn_store": ""}
    state = JobState(f"qhn-run-{name}-{number}", status, code, "", about, number)
    server.add(state, f"Running entrypoint for job {state.job_id}: qhn\n{text}")
    return state.job_id


def test_the_log_is_what_the_job_has_printed(cluster, script):
    server = script()
    run_of("first", "RUNNING", "one\ntwo\nthree\n", server)
    run_of("first", "FAILED", "refused\n", server, number=2, code=2)
    assert cluster("sweep", "logs", "first") == "one\ntwo\nthree\n"
    assert cluster("sweep", "logs", "first", "--lines", 2) == "two\nthree\n"
    assert cluster("sweep", "logs", "first", "--lines", 0) == ""


def test_following_a_log_ends_with_the_job(cluster, script):
    server = script()
    run_of("first", "SUCCEEDED", "one\ntwo\n", server)
    output = cluster("sweep", "logs", "first", "--follow", "--lines", 1)
    assert output == "two\nfirst is not running any more.\n"


def test_a_sweep_that_no_job_has_run_has_the_log_of_its_driver(cluster, script):
    server = script([("SUCCEEDED", 0, "a line\n")])
    assert cluster("sweep", "logs", "first", "-n", 3) == "a line\n"
    assert words(server.submitted[0]) == ["sweep", "logs", "--lines", "3", "--", "first"]


def test_a_stop_is_sent_where_the_driver_runs(cluster, script):
    server = script([("SUCCEEDED", 0, "It has ended.\n")], [("SUCCEEDED", 0, "It has ended.\n")])
    assert cluster("sweep", "stop", "first") == "It has ended.\n"
    assert words(server.submitted[0])[:4] == ["sweep", "stop", "--timeout", "120.0"]
    cluster("sweep", "stop", "first", "--now", "--timeout", 5)
    assert words(server.submitted[1])[:5] == ["sweep", "stop", "--timeout", "5.0", "--now"]


def test_a_sweep_that_goes_on_after_the_timeout(cluster, script):
    server = script([("FAILED", 1, "It is still running.\n")])
    job_id = run_of("first", "RUNNING", "", server)
    assert cluster("sweep", "stop", "first", code=1) == "It is still running.\n"
    assert job_id not in server.stopped


def test_a_job_that_has_not_begun_is_stopped_by_ray(cluster, script, monkeypatch):
    monkeypatch.setattr("qhn.sweeps.jobs.submitting._ENDING_S", 0)
    server = script([("FAILED", 2, "error: no sweep named 'first'\n")])
    job_id = run_of("first", "PENDING", "", server)
    assert cluster("sweep", "stop", "first") == (
        f"Stopped {job_id}, which had not begun to train.\n"
    )


def test_a_server_that_goes_away_is_no_end_of_the_sweep(cluster, script, monkeypatch):
    monkeypatch.setattr("qhn.sweeps.jobs.following._AWAY_S", -1)
    script([("RUNNING", None, TRAINING), ("", None, RayError("no answer"))])
    output = cluster("sweep", "submit", cluster.file, "--wait", code=3)
    assert output.endswith("error: no answer\n")
