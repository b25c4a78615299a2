"""Sends requests to the servers of a cluster, and waits until they are answered."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from topology.errors import NotYetError, TopologyError

_REQUEST_S = 10.0
_PAUSE_S = 0.1
_LAST_LINES = 15
# Requests to this machine go to no proxy, whatever the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def bearer(token: str) -> str:
    """The value of the header ``Authorization`` for a token."""
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    """The value of the header ``Authorization`` for a user and a password."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def ask(url: str, authorization: str, body: Any = None) -> Any:
    """Send a request; the JSON of its answer.

    Args:
        url: the address.
        authorization: the value of the header of that name.
        body: what is posted as JSON; None to get the address.

    Raises:
        NotYetError: if it is not answered, or not with JSON.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with _direct.open(request, timeout=_REQUEST_S) as response:
            return json.load(response)
    except (OSError, ValueError) as error:
        raise NotYetError(f"{url}: {error}") from error


def wait(
    name: str, check: Callable[[], None], lives: Callable[[], bool], log: Path, limit_s: float
) -> None:
    """Wait until a part is healthy.

    Args:
        name: the name of the part.
        check: raises an error as long as the part is not healthy.
        lives: whether its first process lives.
        log: the file to which the part writes, whose end an error shows.
        limit_s: how long to wait.

    Raises:
        TopologyError: if it has ended, or is not healthy in time.
    """
    deadline = time.monotonic() + limit_s
    while True:
        lived = lives()
        try:
            return check()
        except (NotYetError, OSError) as error:
            reason = str(error)
        if not lived:
            raise TopologyError(f"{name} must run, but it has ended; {_end_of(log)}")
        if time.monotonic() > deadline:
            raise TopologyError(
                f"{name} must be healthy within {limit_s:g} s, but it is not ({reason}); "
                f"{_end_of(log)}"
            )
        time.sleep(_PAUSE_S)


def _end_of(log: Path) -> str:
    try:
        with log.open(errors="replace") as lines:
            last = "".join(deque(lines, _LAST_LINES)).rstrip()
    except OSError:
        last = ""
    return f"its log {log} ends with:\n{last}" if last else f"its log {log} is empty"
