"""Looks whether a Ray lets this process in, before Ray itself tries to connect.

Ray would try for half a minute if its token is refused, and then say only that it has failed.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Any

from qhn.core.errors import RayError
from qhn.sweeps.ray_token import TOKEN_WAY_OUT

_TOKEN_REFUSED = (
    "the Ray at {address} must accept the token of this user, but refuses it or got none; "
    + TOKEN_WAY_OUT
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
