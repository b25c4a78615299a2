"""What is looked at on all machines of a real Ray, by the doctor and before a sweep starts."""

import json
import os
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest
from ray_machines import RayMachines

FILE = """
name: checked
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 5}]
objectives: [mle]
devices: [exact, {name: rehearsal, shots: 16, label: qpu-a}]
lanes: {qpu: {devices: [qpu-a]}}
seeds: 1
training: {steps: 1}
"""
MIB = 2**20


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A Ray of two machines: the folder of the driver and its head, and the Ray."""
    folder, other = tmp_path_factory.mktemp("head"), tmp_path_factory.mktemp("other")
    (folder / "sweep.yaml").write_text(FILE)
    machines = RayMachines(folder)
    try:
        machines.head(folder, "--num-cpus=1", *served(machines))
        machines.join(other, "--num-cpus=1", '--resources={"lane:qpu": 2}')
        yield folder, machines
    finally:
        machines.end()


def served(machines):
    """Options for a job server at ``machines.job_server``, and for the process that runs jobs."""
    with socket.socket() as server, socket.socket() as agent:
        for free in (server, agent):
            free.bind(("127.0.0.1", 0))
        port, of_agent = (free.getsockname()[1] for free in (server, agent))
    machines.job_server = f"http://127.0.0.1:{port}"
    options = [f"--dashboard-port={port}", f"--dashboard-agent-listen-port={of_agent}"]
    return "--include-dashboard=true", "--dashboard-host=127.0.0.1", *options


def run(folder, code, *arguments, prelude="", **environment):
    """Run a command in a folder; what it printed."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "QHN_"))}
    source = f"{prelude}\nfrom qhn.cli import main; import sys; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", source, *map(str, arguments)],
        cwd=folder,
        env=settings | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def wrong(output):
    findings = json.loads(output)["findings"]
    return [(f["where"], f["what"], f["text"]) for f in findings if f["verdict"] == "wrong"]


def test_every_machine_that_is_as_it_should_be_is_found_so(place):
    folder, ray = place
    options = ["sweep.yaml", "--store", folder / "shared", "--address", ray.address, "--json"]
    findings = json.loads(run(folder, 0, "doctor", *options))["findings"]
    machines = {f["where"] for f in findings if f["what"] == "clock"}
    assert len(machines) == 2
    for machine in machines:
        looked_at = {f["what"] for f in findings if f["where"] == machine}
        assert looked_at == {"versions", "store", "disk", "clock", "cpus", "memory"}
    assert {f["verdict"] for f in findings if f["what"] != "disk"} == {"fine", "warning"}
    # The device of a lane is opened where its trials will be, and only there.
    ((device, machine),) = {
        tuple(f["where"].split(" on ")) for f in findings if " on " in f["where"]
    }
    assert device == "qpu-a" and machine in machines
    assert "qpu-a" not in {f["where"] for f in findings}
    # The probes leave nothing behind.
    assert [path.name for path in (folder / "shared").iterdir()] == ["devices"]


def test_a_store_that_only_the_drivers_machine_sees_is_named(place):
    """A path below the working directory, which is another one for the processes of a machine."""
    folder, ray = place
    where = ["sweep.yaml", "--store", "/proc/self/cwd/store", "--address", ray.address]
    ((machine, what, text),) = wrong(run(folder, 2, "doctor", *where, "--json"))
    assert what == "store" and "must see the same store as the driver" in text
    output = run(folder, 2, "sweep", "run", *where)
    assert f"error: the Ray at {ray.address} must be fit for the sweep, but is not" in output
    assert output.count("\n") == 2 and f"  {machine}: store: it must see the same store" in output
    # Nothing was started: there is neither a trial nor MLflow's database nor a copy of the file.
    assert {path.name for path in (folder / "store").iterdir()} == {"sweeps"}
    assert {p.name for p in (folder / "store/sweeps/checked").iterdir()} == {"lock", "logs"}


@pytest.mark.parametrize(
    ("prelude", "environment", "message"),
    [
        ("", {"RAY_AUTH_TOKEN": "0123456789abcdef" * 4}, "must accept the token of this user"),
        (
            "import ray; ray.__version__ = '9.9.9'",
            {"RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
            "but has Ray 9.9.9 and Python",
        ),
    ],
)
def test_a_driver_that_ray_does_not_let_in_hears_why_at_once(place, prelude, environment, message):
    folder, ray = place
    where = ["--store", folder / "shared", "--address", ray.address]
    output = run(folder, 2, "doctor", *where, prelude=prelude, **environment)
    assert message in output and output.startswith("error: ") and output.count("\n") == 1


def test_who_reaches_only_the_job_server_lets_the_head_look(place):
    folder, ray = place
    where = ["--store", folder / "shared", "--address", ray.job_server]
    refused = run(folder, 2, "doctor", *where, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="1" * 64)
    assert "must accept the token of this user" in refused and refused.count("\n") == 1
    output = run(folder, 0, "doctor", "sweep.yaml", "--json", *where[:2], QHN_ADDRESS=where[3])
    findings = json.loads(output)["findings"]
    assert findings[0]["where"] == ray.job_server and findings[0]["verdict"] == "fine"
    assert version("ray") in findings[0]["text"]
    assert len({f["where"] for f in findings if f["what"] == "clock"}) == 2
    assert "tracking" in {f["where"] for f in findings}
    output = run(folder, 2, "doctor", "--address", "http://127.0.0.1:1")
    assert output.startswith("error: a job server must answer at http://127.0.0.1:1, but")


def test_a_machine_with_another_qhn_and_little_memory_is_named(place, tmp_path):
    """Its qhn has nothing of what looks at machines, so that has to come along."""
    folder, ray = place
    (tmp_path / "qhn").mkdir()
    (tmp_path / "qhn" / "__init__.py").touch()
    (tmp_path / "qhn" / "version.py").write_text('VERSION = "0.0.9"\n')
    little = [f"--memory={2 * MIB}", f"--object-store-memory={80 * MIB}"]
    ray.join(tmp_path, "--num-cpus=1", *little, environment={"PYTHONPATH": str(tmp_path)})
    where = ["sweep.yaml", "--store", folder / "shared", "--address", ray.address]
    output = run(folder, 2, "doctor", *where, "--json")
    ((machine, what, versions),) = wrong(output)
    assert what == "versions" and "qhn 0.1.0, but has qhn 0.0.9" in versions
    # Ray gives it no trials, because it has not the memory that is reserved for them.
    ((small, memory),) = {
        (f["where"], f["text"])
        for f in json.loads(output)["findings"]
        if (f["what"], f["verdict"]) == ("memory", "warning")
    }
    assert small == machine and "has 2 MiB for processes there" in memory
    output = run(folder, 2, "sweep", "run", *where)
    assert output.count("\n") == 2 and versions in output
    assert not (folder / "shared" / "mlflow.db").exists()


def test_a_landscape_is_the_same_where_its_planes_are_divided_over_machines(place):
    folder, ray = place
    options = ["--planes", 3, "--points", 5, "--starts", 2, "--steps", 5, "--hidden", 1]
    run(folder, 0, "landscape", *options, "--out", "there", "--address", ray.address)
    run(folder, 0, "landscape", *options, "--out", "here")
    there, here = ((folder / name / "landscape.json").read_text() for name in ("there", "here"))
    assert there == here
