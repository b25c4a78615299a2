"""The token by which a Ray knows its users, read where Ray itself looks for it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from qhn.core.errors import RayError

#: Where it is if no variable says otherwise. All Rays of a user share it.
TOKEN_FILE = Path("~/.ray/auth_token")
#: What to do where a Ray does not know this user.
TOKEN_WAY_OUT = (
    f"copy the token of who has started that Ray to {TOKEN_FILE}, or name a file that has it in "
    "RAY_AUTH_TOKEN_PATH"
)


def has_token() -> bool:
    """Whether this user has a token, or has named one. It is not read."""
    return bool(_in_variable() or os.environ.get("RAY_AUTH_TOKEN_PATH")) or _path().exists()


def user_token() -> str | None:
    """The token of this user; None if no file is named and there is none in its usual place.

    Raises:
        RayError: if the file with the token cannot be read, or has something else.
    """
    if token := _in_variable():
        return token
    path = _path()
    try:
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        if not os.environ.get("RAY_AUTH_TOKEN_PATH"):
            return None
        raise _unreadable(path, error.strerror) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise _unreadable(path, "it is no text") from None
    if not token:
        raise _unreadable(path, "it is empty")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise RayError(f"the token of Ray must be one word, but {path} holds something else")
    return token


def check_token() -> None:
    """Look whether this user has a token, if the environment says that Ray wants one.

    Ray would end the whole process, without a message, if it looked for a token and found none.

    Raises:
        RayError: if there is no token, or `user_token` cannot read it.
    """
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "token" and user_token() is None:
        raise _unreadable(_path(), os.strerror(errno.ENOENT))


def _in_variable() -> str:
    return os.environ.get("RAY_AUTH_TOKEN", "").strip()


def _path() -> Path:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or TOKEN_FILE.expanduser())


def _unreadable(path: Path, why: str | None) -> RayError:
    return RayError(
        f"the file with the token of Ray must be readable, but {path} is not: {why}; "
        + TOKEN_WAY_OUT
    )
