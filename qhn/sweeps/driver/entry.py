"""Looks whether a Ray lets this process in, before Ray itself tries to connect.

Ray would try for half a minute if its token is refused, and then say only that it has failed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from qhn.core.errors import RayError

_TOKEN_FILE = Path("~/.ray/auth_token")
_TOKEN_WAY_OUT = (
    "copy the token of who has started that Ray to ~/.ray/auth_token, or name a file that has it "
    "in RAY_AUTH_TOKEN_PATH"
)
_TOKEN_REFUSED = (
    "the Ray at {address} must accept the token of this user, but refuses it or got none; "
    + _TOKEN_WAY_OUT
)


def check_token() -> None:
    """Look whether this user has a token, if the environment says that Ray wants one.

    Ray would end the whole process, without a message, if it looked for a token and found none.

    Raises:
        RayError: if there is no token, or its file cannot be read or is empty.
    """
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else _TOKEN_FILE.expanduser()
    try:
        why = "" if path.read_text(encoding="ascii").strip() else "it is empty"
    except OSError as error:
        why = error.strerror or str(error)
    except UnicodeDecodeError:
        why = "it is no text"
    if why:
        raise RayError(
            f"to attach to a Ray that asks for a token, the file with the token must be readable, "
            f"but {path} is not: {why}; {_TOKEN_WAY_OUT}"
        )


def check_entry(address: str) -> None:
    """Look whether a Ray accepts the token and the versions of this process.

    Ray must have been imported with the settings that are to be used (`attached_ray`).

    Args:
        address: the address of its head.

    Raises:
        RayError: if it refuses one of them.
    """
    # These are Ray's own modules. A version of Ray that has them elsewhere says by itself that it
    # cannot connect, only later.
    with suppress(ImportError):
        from ray._common.usage.usage_lib import get_cluster_metadata
        from ray._private.utils import check_version_info
        from ray.exceptions import AuthenticationError

        native: Any = import_module("ray._raylet")
        try:
            metadata: dict[str, Any] = get_cluster_metadata(native.GcsClient(address=address)) or {}
        except AuthenticationError as error:
            raise RayError(_TOKEN_REFUSED.format(address=address)) from error
        except Exception:  # noqa: BLE001 - Ray's own attempt to connect will say what it is
            return
        try:
            if metadata:
                check_version_info(metadata, "this machine")
        except RuntimeError as error:
            raise RayError(_other_versions(address, metadata)) from error


def _other_versions(address: str, metadata: dict[str, Any]) -> str:
    from ray._private.utils import compute_version_info

    theirs = f"Ray {metadata['ray_version']} and Python {metadata['python_version']}"
    ray, python = compute_version_info()
    return (
        f"the driver of a sweep must have the versions of the Ray at {address}, {theirs}, but has "
        f"Ray {ray} and Python {python}; run it with those, or start that Ray with these"
    )
