"""PostgreSQL is stopped and started again below an MLflow server that goes on."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg2
import pytest
from served import LIMIT_S, Server, free_port
from written import Written, check, until

from qhn.sweeps.tracking import writer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def program(name):
    """The path of a program of PostgreSQL, which Debian does not put into PATH."""
    places = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} of PostgreSQL is not installed")
    return found


class Postgres:
    """A database server of our own on loopback, with a password."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.process = None
        self.options = {}
        if os.geteuid() == 0:  # it refuses to run as root
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("root needs a user named postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self.options = {"user": user.pw_uid, "group": user.pw_gid}
        secret = folder / "secret"
        secret.write_text("for-tests\n")
        secret.chmod(0o644)
        command = [program("initdb"), "-D", folder / "data", "-U", "qhn", "--no-sync"]
        command += ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S, **self.options
        )
        self.place = f"qhn:for-tests@127.0.0.1:{self.port}/postgres"
        self.uri = f"postgresql+psycopg2://{self.place}"

    def start(self):
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        command = [program("postgres"), "-D", self.folder / "data", "-p", str(self.port)]
        for setting in settings:
            command += ["-c", setting]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **self.options)
        until(self.answers)

    def answers(self):
        try:
            psycopg2.connect(f"postgresql://{self.place}").close()
        except psycopg2.OperationalError:
            assert self.process.poll() is None
            return False
        return True

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # at once, as after a power cut
            self.process.wait(LIMIT_S)
            self.process = None


@pytest.fixture
def postgres():
    # Not in pytest's folder, which only its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        database = Postgres(Path(folder))
        try:
            database.start()
            yield database
        finally:
            database.stop()


def test_a_database_that_goes_away_below_its_server_loses_and_doubles_nothing(
    postgres, tmp_path, monkeypatch, caplog
):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    monkeypatch.setattr(writer, "_LAST_WAITS_S", 0.2)
    served = Server(tmp_path, postgres.uri)
    try:
        served.start()
        written = Written(served.uri, "postgres")
        written.end_first()
        postgres.stop()
        written.end(written.trials)
        until(lambda: caplog.text.count("trying again") >= 2)
        postgres.start()
        written.finish()
        client = MlflowClient(tracking_uri=served.uri)
        check(client, "postgres", written.plan)
        assert "for-tests" not in caplog.text
    finally:
        served.stop()
