"""`cluster/head` and `cluster/worker`: what they tell Ray, what they refuse, and how they end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from definitions import CLUSTER, check_bash, check_ray
from topology import interfaces, joining
from topology.errors import TopologyError

TOKEN = "a-token-of-a-test-that-is-long-enough"
START_S = 60


def options(role, *given):
    return joining.ray_options(role, joining._parser(role).parse_args(given))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_head_listens_on_loopback_unless_told_otherwise():
    found = options("head")
    check_ray(found)
    assert "--node-ip-address=127.0.0.1" in found
    assert "--dashboard-host=127.0.0.1" in found
    assert "--block" in found
    assert "--num-cpus=0" in found
    assert not any("0.0.0.0" in option for option in found)


def test_worker_has_lanes_and_takes_further_options():
    found = options(
        "worker", "--address", "127.0.0.1:7", "--lanes", "qpu=2", "b=1", "--", "--temp-dir=/x"
    )
    check_ray(found)
    (resources,) = [option for option in found if option.startswith("--resources=")]
    assert json.loads(resources.partition("=")[2]) == {"lane:qpu": 2, "lane:b": 1}
    assert found[-1] == "--temp-dir=/x"
    assert "--block" not in options("worker", "--address", "127.0.0.1:7", "--background")
    assert not any(option.startswith("--num-cpus") for option in found)


def test_interface_is_one_of_this_machine():
    assert interfaces.address_of("lo") == "127.0.0.1"
    assert interfaces.address_of("127.0.0.1") == "127.0.0.1"
    for wrong in ("0.0.0.0", "192.0.2.254", "no-such-interface"):
        with pytest.raises(TopologyError, match=r"there are: .*lo \(127\.0\.0\.1\)"):
            options("head", "--interface", wrong)


def test_worker_takes_the_interface_that_leads_to_its_head(monkeypatch):
    assert interfaces.address_towards("127.0.0.1:6379", None) == "127.0.0.1"
    for wrong in ("127.0.0.1", "127.0.0.1:port", "127.0.0.1:65536"):
        with pytest.raises(TopologyError, match="must be HOST:PORT"):
            interfaces.address_towards(wrong, None)

    class Way(socket.socket):
        def connect(self, address):
            pass

        def getsockname(self):
            return "10.0.0.7", 1

    monkeypatch.setattr(interfaces.socket, "socket", Way)
    assert interfaces.address_towards("10.0.0.1:6379", None) == "10.0.0.7"
    with pytest.raises(TopologyError, match=r"leave the option out to use 10\.0\.0\.7"):
        interfaces.address_towards("10.0.0.1:6379", "lo")


def test_token_must_be_there_and_private(tmp_path):
    with pytest.raises(TopologyError, match="ray get-auth-token --generate"):
        joining.environment({}, tmp_path)
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(TopologyError, match="chmod 600"):
        joining.environment({}, tmp_path)
    file.chmod(0o600)
    found = joining.environment({"RAY_AUTH_TOKEN_PATH": str(file)}, tmp_path / "other")
    assert found["RAY_AUTH_MODE"] == "token"
    assert found["RAY_USAGE_STATS_ENABLED"] == "0"
    # Ray's job server finds `qhn` there.
    assert found["PATH"].startswith(f"{Path(sys.executable).parent}:")
    with pytest.raises(TopologyError, match="unset it"):
        joining.environment({"RAY_AUTH_MODE": "disabled"}, tmp_path)
    # What a person has set stays.
    drain = "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
    assert drain not in joining.environment({"RAY_AUTH_TOKEN": TOKEN, drain: "3"}, tmp_path)


def test_folder_of_ray_is_private(tmp_path):
    folder = joining.private_folder(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert joining.private_folder(tmp_path) == folder
    folder.chmod(0o755)
    with pytest.raises(TopologyError, match="nobody else may use"):
        joining.private_folder(tmp_path)
    folder.rmdir()
    folder.symlink_to("/")
    with pytest.raises(TopologyError, match="nobody else may use"):
        joining.private_folder(tmp_path)
    with pytest.raises(TopologyError, match="another folder with TMPDIR"):
        joining.private_folder(tmp_path / "absent")


@pytest.mark.parametrize("name", ["head", "worker"])
def test_scripts_say_what_is_wrong(name, tmp_path):
    check_bash(CLUSTER / name)
    own = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    given = ["--address", "127.0.0.1:6379"] if name == "worker" else []
    failed = subprocess.run(
        [CLUSTER / name, *given], env=own, capture_output=True, text=True, timeout=60
    )
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"cluster/{name}: a token must be in {tmp_path}")


class Node:
    """A script that runs, with a folder and ports of its own."""

    def __init__(self, name, folder, *given):
        self.agent = free_port()
        own = folder / name[0]
        own.mkdir()
        self.log = folder / f"{name}.log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(CLUSTER / name, *given, "--"),
                    f"--dashboard-agent-listen-port={self.agent}",
                    "--object-store-memory=80000000",
                ],
                env={
                    **environment,
                    "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
                    "TMPDIR": str(own),
                },
                stdout=log,
                stderr=log,
            )

    def wait_for(self, url):
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                return ask(url)
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"{url} does not answer:\n{self.log.read_text()[-3000:]}")

    def end(self):
        """Ask the script to end; all processes that it had."""
        here = psutil.Process(self.process.pid)
        family = [here, *here.children(recursive=True)]
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return family


def ask(url, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=5) as answer:
        return answer.read().decode()


@pytest.fixture
def nodes(short_folder):
    short_folder.mkdir(mode=0o700)
    token = short_folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    started = []

    def start(*given):
        started.append(Node(given[0], short_folder, *given[1:]))
        return started[-1]

    yield start
    for node in reversed(started):
        if node.process.poll() is None:
            for one in node.end():
                if one.is_running():
                    one.kill()


def test_head_and_worker_make_a_cluster_and_leave_it_on_sigterm(nodes):
    port, dashboard = free_port(), free_port()
    head = nodes("head", "--port", str(port), "--dashboard-port", str(dashboard))
    server = f"http://127.0.0.1:{dashboard}"
    # What probes and health checks ask, without a token.
    head.wait_for(f"{server}/api/gcs_healthz")
    worker = nodes("worker", "--address", f"127.0.0.1:{port}", "--cpus", "1", "--lanes", "qpu=2")
    worker.wait_for(f"http://127.0.0.1:{worker.agent}/api/healthz")

    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(f"{server}/nodes?view=summary")
    listed = json.loads(ask(f"{server}/nodes?view=summary", TOKEN))["data"]["summary"]
    totals = [node["raylet"].get("resourcesTotal", {}) for node in listed]
    assert len(totals) == 2
    assert [total.get("lane:qpu", 0) for total in totals].count(2) == 1

    family = psutil.Process(head.process.pid).children(recursive=True)
    family += psutil.Process(worker.process.pid).children(recursive=True)
    where = {
        connection.laddr.ip
        for process in family
        if process.is_running()
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert where <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert not any(TOKEN in " ".join(process.cmdline()) for process in family)

    # Ray's own folder may be written to by everybody.
    for name in ("h", "w"):
        (private,) = (head.log.parent / name).glob("qhn-ray-*")
        assert private.stat().st_mode & 0o777 == 0o700
        assert list(private.glob("ray/session_*"))

    left = worker.end()
    # Ray counts a signal as an error of its command.
    assert worker.process.returncode == 1
    assert "finished draining" in worker.log.read_text()
    left += head.end()
    _, alive = psutil.wait_procs(left, timeout=15)
    assert alive == []
