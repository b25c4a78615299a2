"""What a sweep says and leaves when Ray, the machine or a person lets it down."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from qhn.sweeps.driver.neighbours import clear_leftovers, private_folder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

LONG = (
    "name: long\ndatasets: [moons]\nnetworks: [{hidden: 2}]\nobjectives: [mle]\nseeds: 2\n"
    "training: {steps: 2000000, report_every: 1000}\n"
)


def processes_of(driver, *words):
    """Processes below a command whose name or title has one of these words."""
    found = []
    for process in psutil.Process(driver.pid).children(recursive=True):
        try:
            text = " ".join([process.name(), *process.cmdline()[:1]])
        except psutil.Error:
            continue
        if any(word in text for word in words):
            found.append(process)
    return found


@pytest.fixture(autouse=True)
def nothing_left():
    """No test finds what drivers of others before it, killed on purpose, have left."""
    clear_leftovers()


def notes():
    """What drivers on this machine have noted about themselves, and their Ray folders."""
    return {path.name for path in private_folder().iterdir()}


def start(qhn, text=LONG, *options):
    """A sweep of which two trials have begun to train."""
    file = qhn.write(text)
    driver = qhn.start("sweep", "run", file, "--cpus", 2, *options)
    trials = [qhn.root / trial / "checkpoint.npz" for trial in qhn.trials(file)]
    qhn.wait(driver, lambda: sum(path.exists() for path in trials) >= 2)
    return file, driver


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_the_end_of_ray_is_one_message_with_an_exit_code_of_its_own(qhn, name):
    before = notes()
    _, driver = start(qhn)
    ray = processes_of(driver, "raylet", "gcs_server", "ray::")
    for process in processes_of(driver, name):
        process.kill()
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 3, output
    said = " ".join(output.split())
    assert "Ray has stopped" in said
    assert "qhn sweep resume long" in said
    assert "The log is" in said
    assert "Traceback" not in output
    # Nothing goes on that nobody watches.
    psutil.wait_procs(ray, timeout=60)
    assert not any(process.is_running() for process in ray)
    # The writer was given the time to say so in MLflow.
    assert [run.info.status for run in qhn.runs("long", "sweep")] == ["KILLED"]
    # The store is whole: what was trained is there, and the sweep goes on from it.
    assert qhn.status("long") == {"planned": 2, "finished": 0, "failed": 0, "running": 0}
    steps = [int(qhn.store.checkpoint(t)["step"]) for t in qhn.trials(qhn.folder / "sweep.yaml")]
    assert all(step > 0 for step in steps)
    assert notes() == before


NO_RAY = """
import sys
import ray

def refuse(**settings):
    raise Exception("The current node timed out during startup.\\nA second line.\\nA third.")

ray.init = refuse
from qhn.cli import main
main(sys.argv[1:])
"""


def test_ray_that_cannot_start_is_one_message(qhn):
    """As where memory is too short for it; Ray itself would take half a minute to say so."""
    file = qhn.write(LONG)
    before = notes()
    refused = subprocess.run(
        [sys.executable, "-c", NO_RAY, "sweep", "run", str(file)],
        env=qhn.environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert refused.returncode == 2, refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    (message,) = refused.stderr.splitlines()
    assert message.startswith("error: Ray must start on this machine, but it did not: The current")
    assert "ulimit -v" in message
    assert notes() == before
    assert [run.info.status for run in qhn.runs("long", "sweep")] == ["FAILED"]


def test_ray_listens_on_this_machine_alone_and_keeps_its_secrets(qhn, tmp_path):
    # A Ray of before, of some other program, has left its token open to everybody.
    token = Path(qhn.environment.setdefault("HOME", str(tmp_path)), ".ray", "auth_token")
    token.parent.mkdir(exist_ok=True)
    if not token.exists():
        token.write_text("0" * 64)
    token.chmod(0o644)
    before = notes()
    _, driver = start(qhn)
    tree = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
    places = {
        connection.laddr
        for process in tree
        if process.is_running()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    listening = {place.ip for place in places}
    assert listening
    # At this one port the agents of all Rays would listen, and wait for each other.
    assert 52365 not in {place.port for place in places}
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    # Sockets, logs and notes of this driver lie where only their user can look.
    assert notes() - before
    assert stat.S_IMODE(private_folder().stat().st_mode) == 0o700
    assert stat.S_IMODE(qhn.root.stat().st_mode) == 0o700
    assert stat.S_IMODE((qhn.root / "mlflow.db").stat().st_mode) == 0o600
    output = qhn.end(driver, signal.SIGTERM)
    assert driver.returncode == 130, output
    assert notes() == before
    scratch = qhn.root / "sweeps" / "long"
    assert {path.name for path in scratch.iterdir()} <= {
        "sweep.yaml",
        "lock",
        "progress.json",
        "logs",
        "tracking",
    }


def test_a_second_sweep_takes_the_cores_that_the_first_one_leaves(qhn):
    _, driver = start(qhn)
    beside = type(qhn)(qhn.folder / "beside")
    beside.folder.mkdir()
    text = "{name: b, datasets: [moons], objectives: [mle], seeds: 1, training: {steps: 9}}"
    other = beside.write(text)
    beside.train(other)  # what it says is said before it looks what is left to do
    output = beside.process("sweep", "run", other)
    assert "other sweeps run on this machine: long (2)" in output
    assert "this one takes 1 core of" in output
    assert "other sweeps" not in beside.process("sweep", "run", other, "--cpus", 2)
    qhn.kill(driver)
    beside.close()


def test_a_working_directory_that_is_gone_does_not_matter(qhn):
    file = qhn.write(
        "{name: g, datasets: [moons], objectives: [mle], seeds: 1, training: {steps: 9}}"
    )
    place = qhn.folder / "place"
    place.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from qhn.cli import main; main(sys.argv[1:])"
    gone = subprocess.run(
        [sys.executable, "-P", "-c", code, "sweep", "run", str(file)],
        cwd=place,
        env=qhn.environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert "one trial finished" in gone.stdout
    assert not place.exists()
    qhn.check_tracking(file, "g", 9)


FROM_PYTHON = """
import signal, sys
from contextlib import nullcontext
from pathlib import Path
from qhn.sweeps.driver.run import RunOptions, run_sweep
from qhn.sweeps.planning.machine import this_machine
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import open_store
from qhn.sweeps.tracking import tracking_location

def mine(number, frame):
    raise SystemExit("mine")

kept = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
for number in kept:
    signal.signal(number, mine)
text = Path(sys.argv[1]).read_text()
store = open_store(sys.argv[2])
plan = make_plan(parse_spec(text))
options = RunOptions(1, this_machine())
with store.sweep(plan.name).lock:
    outcome = run_sweep(
        plan, text, store, tracking_location(store), lambda board: nullcontext(), options
    )
assert outcome.summary.finished == 1, outcome
assert outcome.summary.ray_start_seconds > 0
assert all(signal.getsignal(number) is mine for number in kept)
print("handlers kept")
"""


def test_called_from_python_a_sweep_leaves_signal_handlers_as_they_were(qhn):
    file = qhn.write(
        "{name: p, datasets: [moons], objectives: [mle], seeds: 1, training: {steps: 9}}"
    )
    done = subprocess.run(
        [sys.executable, "-c", FROM_PYTHON, str(file), str(qhn.root)],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("handlers kept\n")
