"""The MLflow server, which asks for a password and passes artifacts on to a folder of its own."""

from __future__ import annotations

import sys
from configparser import ConfigParser
from io import StringIO

from topology import environment
from topology.asking import ask, basic
from topology.errors import NotYetError
from topology.keys import write_private
from topology.part import Part
from topology.parts import postgres
from topology.place import Place

NAME = "mlflow"
# Checking a password takes tens of milliseconds on purpose, and every request has one.
_REMEMBERED_S = 60


def mlflow_server(place: Place) -> Part:
    """The server. Nobody but its one user has any permission."""
    home = place.folder / NAME
    port = place.ports[NAME]["http"]
    command = (
        *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"),
        *("--host", place.host, "--port", str(port), "--workers", "1"),
    )
    variables = {
        "MLFLOW_BACKEND_STORE_URI": _uri(place, "mlflow"),
        "MLFLOW_ARTIFACTS_DESTINATION": str(home / "artifacts"),
        "MLFLOW_AUTH_CONFIG_PATH": str(home / "users.ini"),
        "MLFLOW_AUTH_ADMIN_USERNAME": environment.USER,
        "MLFLOW_AUTH_ADMIN_PASSWORD": place.keys.mlflow,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": place.keys.mlflow_session,
        # Its jobs for language models would start further processes.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PGPASSFILE": str(postgres.password_file(place)),
    }
    return Part(
        NAME,
        command,
        {**environment.base(), **variables},
        lambda _: _check(place),
        needs=(postgres.NAME,) if place.options.postgres else (),
        prepare=lambda: _prepare(place),
    )


def _uri(place: Place, database: str) -> str:
    if place.options.postgres:
        return postgres.uri(place, database)
    return f"sqlite:///{place.folder / NAME / database}.db"


def _prepare(place: Place) -> None:
    home = place.folder / NAME
    (home / "artifacts").mkdir(mode=0o700, parents=True, exist_ok=True)
    users = ConfigParser()
    users["mlflow"] = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": _uri(place, "mlflow_auth"),
        "auth_cache_ttl_seconds": str(_REMEMBERED_S),
    }
    text = StringIO()
    users.write(text)
    write_private(home / "users.ini", text.getvalue())


def _check(place: Place) -> None:
    """The server must find an experiment, which it reads from its database."""
    url = f"{place.url(NAME)}/api/2.0/mlflow/experiments/search"
    authorization = basic(environment.USER, place.keys.mlflow)
    answer = ask(url, authorization, {"max_results": 1})
    if not answer.get("experiments"):
        raise NotYetError("MLflow has not made its first experiment yet")
