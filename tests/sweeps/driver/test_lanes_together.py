"""Simulated trials and trials of a rehearsed quantum processor, in whole sweeps on a real Ray."""

import os
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from qhn.devices.rehearsal.record import Record
from qhn.sweeps.driver.raylets import find_raylet, local_raylets
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SPEC = """
name: %(name)s
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle]
devices:
  - exact
  - {name: rehearsal, shots: 16, label: qpu-a, speedup: 200, queue_s: 2}
lanes: {qpu: {devices: [qpu-a], jobs_in_flight: 2}}
%(more)s
seeds: %(seeds)s
training: {steps: 3, report_every: 3}
"""


def spec(name="both", seeds=2, more=""):
    return SPEC % {"name": name, "seeds": seeds, "more": more}


def plan_of(text):
    return make_plan(parse_spec(text, "test")).trials


def test_simulated_and_queued_trials_run_in_one_sweep(qhn):
    """Children start after their parents; MLflow, ledger and provider agree on what was paid."""
    text = spec(more="start_from: {device: exact, steps: 5}")
    file = qhn.write(text)
    summary = qhn.run(file)
    trials = plan_of(text)
    assert summary["finished"] == len(trials) == 6
    (lane,) = summary["lanes"]
    queued = [trial for trial in trials if trial.lane == "qpu"]
    # Four evaluations each: one for each update, and one for the last report.
    assert (lane["steps"], lane["failed_jobs"], lane["open_jobs"]) == (4 * len(queued), 0, 0)
    with Record(qhn.root / "devices" / "rehearsal-qpu-a") as record:
        assert len(record.jobs()) == lane["jobs"]
        assert record.most_pending() <= 2
        assert record.paid_twice() == {} and record.refusals() == []
    results = qhn.store.results([trial.trial_id for trial in trials])
    for trial in queued:
        parent, child = results[trial.parent], results[trial.trial_id]
        assert parent.lane is None and parent.steps == 5
        assert child.started_ms >= parent.finished_ms
        assert child.lane["jobs"] == 4
    runs = {run.data.tags["qhn.trial_id"]: run for run in qhn.runs("both")}
    for trial in trials:
        metrics, tags = runs[trial.trial_id].data.metrics, runs[trial.trial_id].data.tags
        if trial.lane is None:
            assert not any(name.startswith("qpu_") for name in metrics)
        else:
            assert metrics["qpu_shots"] == results[trial.trial_id].lane["shots"]
            assert tags["qhn.job_ids"].split() == results[trial.trial_id].lane["job_ids"]


@pytest.fixture
def head(tmp_path):
    """A Ray that belongs to nobody's sweep: its address."""
    before = set(local_raylets())
    environment = os.environ | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    # Ray's sockets need a short path.
    folder = f"/tmp/qhn-head-{os.getpid()}"
    command = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"
    options = ["--head", "--port=0", "--num-cpus=2", "--include-dashboard=false", "--block"]
    with (tmp_path / "head.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", command, "start", *options, f"--temp-dir={folder}"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 120
        while not (found := [r for r in set(local_raylets()) - before if folder in r.folder]):
            assert process.poll() is None and time.monotonic() < deadline, "Ray has not started"
            time.sleep(0.1)
        yield found[0].address
    finally:
        # Asked to end, Ray would first wait half a minute for its processes.
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.kill()
        process.wait(60)
        subprocess.run(["rm", "-rf", folder], check=True)


def test_two_drivers_on_one_ray_share_a_queue(qhn, head):
    """One broker serves both: the lane's limit holds for their jobs together."""
    folder, drivers = qhn.folder / "one-processor", []
    for name, seeds in (("first", "[0, 1]"), ("second", "[2, 3]")):
        text = spec(name, seeds).replace("queue_s: 2", f"queue_s: 2, folder: {folder}")
        file = qhn.folder / f"{name}.yaml"
        file.write_text(text)
        drivers.append(qhn.start("sweep", "run", file, "--address", head, "--cpus", 1))
    for driver in drivers:
        output, _ = driver.communicate(timeout=240)
        assert driver.returncode == 0, output
        assert f"attached to {head}" in output
        assert "no machine has the resource lane:qpu" in output
    # The Ray belongs to somebody else, and is still there.
    assert find_raylet(head).address == head
    with Record(folder) as record:
        jobs = record.jobs()
        assert record.most_pending() <= 2
        assert record.paid_twice() == {}
    # Every trial has four steps on the processor. Some of both sweeps may have shared a job.
    assert sum(len(job.steps) for job in jobs) == 4 * 4
    assert [qhn.status(name)["finished"] for name in ("first", "second")] == [4, 4]
