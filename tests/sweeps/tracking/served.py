"""An MLflow server on loopback, and a proxy in front of it that does what bad networks do."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

LIMIT_S = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """``mlflow server`` on loopback; its processes form a group that ends together."""

    def __init__(self, folder, backend=None):
        self.folder = folder
        self.backend = backend or f"sqlite:///{folder}/server.db"
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        places = ["--backend-store-uri", self.backend]
        places += ["--artifacts-destination", str(self.folder / "artifacts")]
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *places, *where],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={
                **os.environ,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            start_new_session=True,
        )
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                if requests.get(f"{self.uri}/health", timeout=5).ok:
                    return
            except requests.RequestException:
                assert self.process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def stop(self):
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class Proxy:
    """Passes requests on to a server, as long as no fault is set.

    Attributes:
        asked: method and path of each request, without what follows a ``?``.
        fault: a function of method and path that names what happens to a request: None lets it
            pass. ``"reset"`` closes the connection, ``"500"`` and ``"503"`` and the like answer
            without asking the server, ``"cut"`` asks the server and drops its answer, ``"hang"``
            drops the request and waits for `heal`, and ``"late"`` waits for `heal` and passes the
            request on then, when nobody waits for its answer any more.
    """

    def __init__(self, server):
        self.server, self.port = server, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.asked, self.hit = [], []
        self.fault = lambda method, path: None
        self.healed = threading.Event()
        self.late = []
        self.listen()

    def listen(self):
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:  # the client has gone
                    self.close_connection = True

            def do_GET(self):
                proxy.handle(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, *arguments):
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads, block_on_close = True, False

        self.listener = Listener(("127.0.0.1", self.port), Handler)
        self.thread = threading.Thread(target=self.listener.serve_forever, args=[0.01])
        self.thread.start()

    def refuse(self):
        """Listen no more, and reset the connections that are open."""
        self.fault = lambda method, path: "reset"
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join()

    def heal(self):
        """Let requests pass again, among them those that came too late."""
        self.fault = lambda method, path: None
        self.healed.set()
        for thread in self.late:
            thread.join()
        self.healed.clear()

    def close(self):
        self.healed.set()
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join()

    def handle(self, handler):
        path = handler.path.partition("?")[0]
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.asked.append((handler.command, path))
        fault = self.fault(handler.command, path)
        if fault is None:
            self._answer(handler, *self._pass_on(handler, body))
            return
        self.hit.append((fault, path))
        if fault.isdigit():
            self._answer(handler, int(fault), {"Content-Type": "text/plain"}, b"no")
            return
        handler.close_connection = True
        if fault == "cut":
            self._pass_on(handler, body)
        elif fault == "hang":
            self.healed.wait()
        elif fault == "late":
            self.late.append(threading.current_thread())
            self.healed.wait()
            self._pass_on(handler, body)

    def _pass_on(self, handler, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LIMIT_S)
        try:
            headers = {k: v for k, v in handler.headers.items() if k.lower() != "connection"}
            connection.request(handler.command, handler.path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _answer(self, handler, status, headers, body):
        handler.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
