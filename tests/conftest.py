"""The command line as a person uses it, on a store of its own, in this process or in others."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Collection
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from shutil import which
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from local_cluster import LANE, PLANTED, started

from qhn.cli import main
from qhn.core.errors import DivergedError, LaneError
from qhn.lanes.ticket import Ticket
from qhn.sweeps.config import factory
from qhn.sweeps.driver.tickets import Tickets
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialError, open_store, results_digest
from qhn.sweeps.trial.alone import opened
from qhn.sweeps.trial.session import TrialSession

_LIMIT_S = 240

# Shells start background jobs with Ctrl-C ignored, and every command would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow or busy machine is no mistake; and a run that decides about a change must not be chance.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", patient)
settings.register_profile("ci", patient, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


class Qhn:
    """Runs ``qhn`` on one store, and looks into the store and its MLflow database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "store"
        self.store = open_store(str(self.root))
        self.environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        self.environment |= {"QHN_STORE": str(self.root), "COLUMNS": "120", "QHN_REPORT": "0"}
        self._started: list[subprocess.Popen] = []

    def write(self, text: str) -> Path:
        """Write a sweep file."""
        path = self.folder / "sweep.yaml"
        path.write_text(text)
        return path

    def start(self, *arguments: object, program: str | None = None) -> subprocess.Popen:
        """Start a command in a process of its own, or in one that runs another program."""
        what = ["-m", "qhn.cli"] if program is None else ["-c", program]
        process = subprocess.Popen(
            [sys.executable, *what, *map(str, arguments)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what a failed test has left running."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()
            # Of one that was killed, its pipe would be closed by the garbage collector, which warns
            # of that in the middle of another test.
            if process.stdout is not None:
                process.stdout.close()

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """Run a command that starts no driver, in this process; what it printed."""
        buffer = io.BytesIO()
        printed = io.TextIOWrapper(buffer, encoding="utf-8", write_through=True)
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            redirect_stdout(printed),
            redirect_stderr(printed),
            pytest.raises(SystemExit) as ended,
        ):
            main([str(argument) for argument in arguments])
        output = buffer.getvalue().decode()
        assert (ended.value.code or 0) == code, output
        return output

    def process(self, *arguments: object, code: int = 0) -> str:
        """Run a command to its end in a process of its own; what it printed."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=_LIMIT_S)
        assert process.returncode == code, output
        return output

    def run(self, file: Path, *options: object, code: int = 0) -> dict:
        """Run a sweep to its end; its summary."""
        summary = self.folder / "summary.json"
        summary.unlink(missing_ok=True)
        self.process("sweep", "run", file, "--summary", summary, *options, code=code)
        return json.loads(summary.read_text())

    def train(self, file: Path, only: Collection[str] | None = None) -> str:
        """Train trials of a file in this process, without Ray or MLflow; the results' digest.

        For tests of what happens afterwards: a sweep of its own takes seconds to start. Trials on
        devices with a queue take their turns in the lanes of the file, one after another.
        """
        plan = make_plan(parse_spec(file.read_text(), str(file)))
        self.store.sweep(plan.name).save_file(file.read_text())
        tickets = Tickets(plan, self.store)
        ids = [t.trial_id for t in plan.trials if only is None or t.trial_id in only]
        for trial in plan.trials:
            if trial.trial_id not in ids:
                continue
            config = trial.config
            ticket = tickets.of(trial)
            lane = None if ticket is None else Ticket.from_json(ticket)
            with opened(config, lane, self.store) as found:
                problem = factory.problem(config)
                session = TrialSession(config, problem, found.device, self.store, found.sampler)
                try:
                    over = False
                    while not over:
                        progress = session.work(60.0)
                        over = progress.finished or bool(progress.paused)
                except (DivergedError, LaneError) as error:
                    failure = TrialError(str(error), "", 1, session.flags())
                    self.store.save_error(trial.trial_id, failure)
        return results_digest(self.store.results(ids).values())

    def status(self, name: str) -> dict:
        """Counts of a sweep."""
        return json.loads(self("sweep", "status", name, "--json"))

    def wait(self, process: subprocess.Popen, condition) -> None:
        """Wait until something is true while a command runs."""
        deadline = time.monotonic() + _LIMIT_S
        while not condition():
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.02)

    def end(self, process: subprocess.Popen, number: int) -> str:
        """Send a signal and wait for the end; what was printed."""
        process.send_signal(number)
        output, _ = process.communicate(timeout=_LIMIT_S)
        return output

    def kill(self, process: subprocess.Popen) -> None:
        """``kill -9`` of the driver."""
        self.end(process, signal.SIGKILL)

    def trials(self, file: Path) -> list[str]:
        """Ids of the planned trials."""
        return [t.trial_id for t in make_plan(parse_spec(file.read_text(), str(file))).trials]

    def runs(self, name: str, kind: str = "trial") -> list:
        """Runs of a sweep in MLflow."""
        client = self.client()
        experiment = client.get_experiment_by_name(name).experiment_id
        return client.search_runs([experiment], f"tags.`qhn.kind` = '{kind}'", max_results=1000)

    def client(self):
        """A client of the store's MLflow database."""
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=f"sqlite:///{self.root}/mlflow.db")

    def check_tracking(self, file: Path, name: str, last_step: int) -> None:
        """Every planned trial has exactly one finished run, with each step once and in order."""
        runs = self.runs(name)
        assert sorted(run.data.tags["qhn.trial_id"] for run in runs) == sorted(self.trials(file))
        assert {run.info.status for run in runs} == {"FINISHED"}
        client = self.client()
        for run in runs:
            steps = [point.step for point in client.get_metric_history(run.info.run_id, "nll")]
            assert steps == sorted(set(steps))
            assert steps[-1] == last_step


@pytest.fixture(scope="session")
def s3_server():
    """A server of S3 on the loopback interface."""
    # Other tests need neither moto nor botocore, which take a second to import.
    from s3_server import S3Server

    server = S3Server()
    server.make_bucket("bucket")
    yield server
    server.close()


@pytest.fixture
def s3_store(s3_server, monkeypatch):
    """Gives addresses of empty stores in a bucket, which this process can reach."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    yield lambda: f"s3://bucket/{uuid.uuid4().hex}"
    s3_server.failures.clear()


GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def golden():
    """Reads one of the golden JSON files, which version f0fdd86 wrote (see golden/record.py)."""
    return lambda name: json.loads((GOLDEN / name).read_text())


@pytest.fixture(scope="session")
def unpack_old_store():
    """Lays the store and the database of version f0fdd86 down in a folder."""

    def unpack(root: Path) -> Path:
        with zipfile.ZipFile(GOLDEN / "store-f0fdd86.zip") as archive:
            names = [name for name in archive.namelist() if name.startswith("store/")]
            archive.extractall(root.parent / "unpacked", names)
            sql = archive.read("mlflow.sql").decode()
        (root.parent / "unpacked" / "store").rename(root)
        with closing(sqlite3.connect(root / "mlflow.db")) as database:
            database.executescript(sql.replace("@STORE@", str(root)))
            database.commit()
        return root

    return unpack


@pytest.fixture
def qhn(tmp_path):
    """A command line on an empty store."""
    command_line = Qhn(tmp_path)
    yield command_line
    command_line.close()


@pytest.fixture(scope="session")
def new_qhn():
    """Makes command lines, for tests that share one or need several."""
    return Qhn


@pytest.fixture(scope="session")
def local_cluster(tmp_path_factory):
    """A cluster on this machine, for all tests that need one; each leaves it as it was.

    Its gateway has a provider's secret, and the terminal from which it was started has another one.
    """
    if not any(Path("/usr/lib/postgresql").glob("*/bin/postgres")) and not which("postgres"):
        pytest.skip("PostgreSQL is not installed (on Debian: apt install postgresql)")
    secrets = tmp_path_factory.mktemp("gateway") / "gateway.env"
    secrets.touch(0o600)
    secrets.write_text(f"QISKIT_IBM_TOKEN={PLANTED['gateway']}\n")
    options = ("--lanes", f"{LANE}=2", "--cpus-per-worker", 2, "--gateway-env", secrets)
    yield from started(*options, terminal={"IQM_TOKEN": PLANTED["terminal"]})
