"""Finds out whether a job server listens at an address, before anything is handed to it.

Ray's own client would wait for minutes for a server that does not answer, and would send its token
to any server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from importlib.metadata import version
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from qhn.core.errors import InvalidValueError, RayError
from qhn.sweeps.ray_token import TOKEN_WAY_OUT, user_token
from qhn.sweeps.store.opening import without_password

_ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?(/[^\s?#@]*)?")
_WAIT_S = 10.0
_LAST_PORT = 65535
_REFUSED = (401, 403)
# A job server answers with a few hundred bytes.
_MOST_BYTES = 100_000


@dataclass(frozen=True)
class Contact:
    """A job server that has answered.

    Attributes:
        address: its address, without a slash at the end.
        headers: the headers with which it accepts requests. They may hold a token.
    """

    address: str
    headers: Mapping[str, str] = field(repr=False)


def check_server_address(address: str) -> str:
    """Check the address of a job server without asking it, and return it without a last slash.

    Raises:
        InvalidValueError: if it is not ``http://HOST:PORT`` or ``https://…``.
    """
    found = address.strip().rstrip("/")
    match = _ADDRESS.fullmatch(found)
    if match is None or not 0 < int((match[2] or ":80")[1:]) <= _LAST_PORT:
        raise InvalidValueError(
            "the address of a job server must be http://HOST:PORT, but got "
            f"{without_password(address)!r}; it is that of Ray's dashboard, which `ray start "
            "--head` prints, mostly with port 8265 (`auto` and HOST:PORT are for `qhn sweep run`)"
        )
    return found


def contact(address: str) -> Contact:
    """Ask a job server for its version, with the token of this user only if it wants one.

    Raises:
        InvalidValueError: if the address cannot be one.
        RayError: if no job server answers there, if it refuses the token, or if it is one of
            another version of Ray.
    """
    found = check_server_address(address)
    status, text = _ask(found, {})
    headers: dict[str, str] = {}
    if status in _REFUSED and "authentication token" in text:
        token = user_token()
        if token is None:
            raise RayError(
                f"the job server at {found} wants a token, but this user has none; {TOKEN_WAY_OUT}"
            )
        headers = {"Authorization": f"Bearer {token}"}
        status, text = _ask(found, headers)
        if status in _REFUSED:
            raise RayError(
                f"the job server at {found} must accept the token of this user, but it does not; "
                f"the Ray there has another one by now; {TOKEN_WAY_OUT}"
            )
    _check_version(found, status, text)
    return Contact(found, headers)


def _ask(address: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """The status and the text of the answer of a server."""
    request = Request(f"{address}/api/version", headers=dict(headers))
    try:
        with urlopen(request, timeout=_WAIT_S) as answer:
            return answer.status, answer.read(_MOST_BYTES).decode(errors="replace")
    except HTTPError as error:
        with error:
            return error.code, error.read(_MOST_BYTES).decode(errors="replace")
    except BadStatusLine as error:
        if isinstance(error, RemoteDisconnected):
            raise _silent(address, error) from None
        # The error itself has what the server has sent, which is no text. Ray's head is one.
        raise RayError(
            f"the job server of a Ray must be at {address}, but what answers there does not speak "
            "HTTP; the port must be that of Ray's dashboard, mostly 8265, and not that of its "
            "head, mostly 6379"
        ) from None
    except (OSError, HTTPException, ValueError) as error:
        raise _silent(address, error) from None


def _silent(address: str, error: Exception) -> RayError:
    reason = error.reason if isinstance(error, URLError) else error
    return RayError(
        f"a job server must answer at {address}, but none does ({reason}); look whether that Ray "
        "runs with its dashboard, and whether the address can be reached from this machine"
    )


def _check_version(address: str, status: int, text: str) -> None:
    try:
        answer = json.loads(text) if status == 200 else None
    except ValueError:
        answer = None
    theirs = answer.get("ray_version") if isinstance(answer, dict) else None
    if not isinstance(theirs, str):
        raise RayError(
            f"the job server of a Ray must be at {address}, but another server answers there (HTTP "
            f"status {status}); the address is that of Ray's dashboard, mostly with port 8265"
        )
    ours = version("ray")
    if theirs != ours:
        raise RayError(
            f"a sweep must be sent by the version of Ray that the cluster has, but the job server "
            f"at {address} has Ray {theirs}, and here is Ray {ours}; install the same version"
        )
