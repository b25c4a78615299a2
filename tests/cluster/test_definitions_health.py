"""`docker/healthy` and `docker/start` as the image runs them."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from definitions import DOCKER


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def healthy(url):
    return subprocess.run(
        [sys.executable, DOCKER / "healthy", url], capture_output=True, text=True, timeout=20
    )


def test_healthy(server):
    assert healthy(f"{server}/health").returncode == 0
    ill = healthy(f"{server}/other")
    assert ill.returncode == 1
    assert "503" in ill.stderr
    assert healthy("http://127.0.0.1:1/health").returncode == 1


def test_start_becomes_the_command():
    done = subprocess.run(
        [DOCKER / "start", "sh", "-c", "echo $0 $#; exit 7"], capture_output=True, timeout=20
    )
    assert done.returncode == 7
