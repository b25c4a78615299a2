"""Finding a job server, and saying in one message why there is none."""

import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

import pytest

from qhn.core.errors import InvalidValueError, RayError
from qhn.sweeps.jobs.contact import check_server_address, contact

VERSION = {"version": "4", "ray_version": version("ray"), "ray_commit": "x"}


@contextmanager
def serving(answer):
    """A server on the loopback interface that answers every request by a function."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            status, body = answer(self.headers.get("Authorization"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def token_server(token):
    """Answers as Ray's middleware does."""

    def answer(sent):
        if sent is None:
            return 401, "Unauthorized: Missing authentication token"
        if sent != f"Bearer {token}":
            return 403, "Forbidden: Invalid authentication token"
        return 200, json.dumps(VERSION)

    return answer


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    return tmp_path


def test_a_job_server_without_tokens_gets_none(home):
    (home / ".ray" / "auth_token").write_text("secret")
    with serving(lambda sent: (200, json.dumps(VERSION))) as (address, asked):
        found = contact(address + "/")
    assert (found.address, dict(found.headers)) == (address, {})
    assert asked == [("/api/version", None)]


@pytest.mark.parametrize("place", ["file", "path", "variable"])
def test_the_token_is_found_where_ray_looks_for_it(monkeypatch, home, place):
    file = home / ".ray" / "auth_token"
    file.write_text("wrong")
    if place == "variable":
        monkeypatch.setenv("RAY_AUTH_TOKEN", "right")
    elif place == "path":
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "other"))
        (home / "other").write_text("right\n")
    else:
        file.write_text("right\n")
    with serving(token_server("right")) as (address, _):
        found = contact(address)
    assert found.headers == {"Authorization": "Bearer right"}
    assert "right" not in repr(found)


def test_a_missing_and_an_expired_token(home):
    with serving(token_server("right")) as (address, _):
        with pytest.raises(RayError, match="wants a token, but this user has none"):
            contact(address)
        (home / ".ray" / "auth_token").write_text("planted")
        with pytest.raises(RayError, match="must accept the token of this user") as refused:
            contact(address)
    assert "planted" not in str(refused.value)


def test_a_token_that_cannot_be_read(monkeypatch, home):
    with serving(token_server("right")) as (address, _):
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "missing"))
        with pytest.raises(RayError, match=r"missing is not: No such file .*; copy the token"):
            contact(address)
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "two"))
        (home / "two").write_text("two words")
        with pytest.raises(RayError, match="must be one word"):
            contact(address)


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, "not found"), (200, "<html>"), (200, "[1]"), (200, "{}"), (401, "log in"), (500, "")],
)
def test_another_server_is_not_taken_for_a_job_server(home, status, body):
    (home / ".ray" / "auth_token").write_text("planted")
    with (
        serving(lambda sent: (status, body)) as (address, asked),
        pytest.raises(RayError, match="but another server answers there"),
    ):
        contact(address)
    # Nor does it get the token.
    assert {sent for _, sent in asked} == {None}


def test_another_version_of_ray():
    with (
        serving(lambda sent: (200, json.dumps(VERSION | {"ray_version": "2.0.0"}))) as (address, _),
        pytest.raises(RayError, match=r"has Ray 2\.0\.0, and here is Ray"),
    ):
        contact(address)


def test_the_port_of_the_head_is_not_taken_for_that_of_the_job_server():
    with socket.create_server(("127.0.0.1", 0)) as place:

        def answer():
            # The head begins like this, in HTTP/2, whatever it is asked.
            with place.accept()[0] as asking:
                asking.recv(65536)
                asking.sendall(b"\0\0\x18\4\0\0\0\0\0\0\4\0@\0\0\r\n\xfe")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RayError, match=r"does not speak HTTP; .* not that of its head") as said:
            contact(f"http://127.0.0.1:{place.getsockname()[1]}")
        thread.join()
    assert str(said.value).isprintable()


def test_nothing_listens():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        with pytest.raises(RayError, match=r"but none does .*Connection refused"):
            contact(f"http://127.0.0.1:{place.getsockname()[1]}")


@pytest.mark.parametrize(
    "address",
    [
        *("auto", "head:6379", "ray://head:10001", "http://", "http://a b", ""),
        *("http://u:p@head:8265", "http://head:65536", "http://head:0"),
    ],
)
def test_what_is_no_address(address):
    with pytest.raises(InvalidValueError, match=r"must be http://HOST:PORT.*for `qhn sweep run`"):
        check_server_address(address)


def test_what_is_an_address():
    for address in ("http://head:8265", "https://ray.example.org/cluster", "http://[::1]:8265"):
        assert check_server_address(address + "/") == address
