"""The secrets of one cluster, which are made when it is first started."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

_FILE = "keys.json"
_BYTES = 32


def _secret() -> str:
    return secrets.token_hex(_BYTES)


@dataclass(frozen=True)
class Keys:
    """The secrets.

    Attributes:
        ray: the token that Ray's servers ask for.
        mlflow: the password of the user of the MLflow server.
        mlflow_session: what the MLflow server signs its cookies with.
        postgres: the password with which the MLflow server reaches PostgreSQL.
        s3_id: the access key of the S3 server, which is a name and no secret.
        s3: its secret.
    """

    ray: str = field(default_factory=_secret)
    mlflow: str = field(default_factory=_secret)
    mlflow_session: str = field(default_factory=_secret)
    postgres: str = field(default_factory=_secret)
    s3_id: str = field(default_factory=lambda: f"AKIA{secrets.token_hex(8).upper()}")
    s3: str = field(default_factory=_secret)


def make_keys(folder: Path) -> Keys:
    """Make the secrets and write them into a folder, which must be private."""
    keys = Keys()
    write_private(folder / _FILE, json.dumps(asdict(keys)))
    # Ray reads its token from a file.
    write_private(token_file(folder), keys.ray)
    return keys


def read_keys(folder: Path) -> Keys:
    """The secrets that were made before."""
    return Keys(**json.loads((folder / _FILE).read_text()))


def token_file(folder: Path) -> Path:
    """The file from which Ray's processes and its clients read the token."""
    return folder / "ray-token"


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, in one step."""
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
