"""A Ray with a job server, as processes of its own on the loopback interface."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from qhn.sweeps.driver.raylets import local_raylets

_LIMIT_S = 120
_RAY = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"


class JobServerProcess:
    """Starts the head of a Ray that asks for a token, and ends it."""

    def __init__(self, folder, port, environment):
        self.address = f"http://127.0.0.1:{port}"
        self.token = folder / "token"
        self.token.write_text("7" * 64)
        self.token.chmod(0o600)
        # Ray's sockets need a short path.
        self._temporary = f"/tmp/qhn-jobs-{os.getpid()}"
        self._said = folder / "head.log"
        self._port = port
        programs = Path(sys.executable).parent
        self.client_environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
        }
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "QHN_", "MLFLOW"))},
            "PATH": f"{programs}:{os.environ['PATH']}",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            **self.client_environment,
            **environment,
        }
        self._process = None

    def start(self):
        options = [
            *("--head", "--port=0", "--num-cpus=2", "--block", "--include-dashboard=true"),
            *("--dashboard-host=127.0.0.1", f"--dashboard-port={self._port}"),
            *("--dashboard-agent-listen-port=0", f"--temp-dir={self._temporary}"),
        ]
        with self._said.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _RAY, "start", *options],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _LIMIT_S
        while not (self._answers() and self._raylets()):
            running = self._process.poll() is None
            assert running and time.monotonic() < deadline, self._said.read_text()
            time.sleep(0.1)

    def end(self):
        # Asked to end, Ray would first wait half a minute for its processes.
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        self._process.kill()
        self._process.wait(60)
        # What a job has started is no child any more, but has the variables of this Ray.
        for process in set(psutil.process_iter()) - {psutil.Process()}:
            with suppress(psutil.Error):
                if process.environ().get("RAY_AUTH_TOKEN_PATH") == str(self.token):
                    process.kill()
        subprocess.run(["rm", "-rf", self._temporary], check=True)

    def _answers(self):
        try:
            with urlopen(f"{self.address}/api/version", timeout=5):
                return True
        except URLError as error:
            return getattr(error, "code", None) == 401

    def _raylets(self):
        return [found for found in local_raylets() if found.folder.startswith(self._temporary)]
