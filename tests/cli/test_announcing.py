"""Saying where a server is once it answers, and not before."""

import http.server
import socket
import subprocess
import sys
import threading

import pytest

from qhn.cli.announcing import wait_for_answer


class Refusing(http.server.BaseHTTPRequestHandler):
    """A server that is there and refuses every request."""

    def do_GET(self):
        self.send_error(403)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    found = http.server.HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{found.server_port}/health"
    found.shutdown()
    thread.join()
    found.server_close()


def test_any_answer_counts(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert wait_for_answer(server, lambda: True)


def test_a_server_that_ends_is_not_waited_for(server):
    closed = f"http://127.0.0.1:{_free_port()}/"
    lives = iter([True, True, False])
    assert not wait_for_answer(closed, lambda: next(lives), every_s=0.0)
    assert not wait_for_answer(server, lambda: False)


def test_it_gives_up(server):
    closed = f"http://127.0.0.1:{_free_port()}/"
    assert not wait_for_answer(closed, lambda: True, seconds=0.05, every_s=0.01)


def test_the_lines_come_from_a_process_that_the_server_knows_nothing_of(server):
    """The process goes on as something else, as `qhn ui` does, and has no child to wait for."""
    code = (
        "import os, sys\n"
        "from qhn.cli.announcing import print_when_ready\n"
        "print_when_ready(sys.argv[1], ['one', 'two'])\n"
        "sys.stdin.read()\n"
        "try: os.waitpid(-1, os.WNOHANG)\n"
        "except ChildProcessError: print('no child')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, server],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert [process.stdout.readline() for _ in range(2)] == ["one\n", "two\n"]
        process.stdin.close()
        assert process.stdout.read() == "no child\n"


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
