"""PostgreSQL, in which the MLflow server keeps runs and users."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path

from topology import environment
from topology.errors import NotYetError, TopologyError
from topology.keys import write_private
from topology.part import Part
from topology.place import Place
from topology.processes import as_user

NAME = "postgres"
#: The databases: runs, and users of the MLflow server.
DATABASES = ("mlflow", "mlflow_auth")
#: The user as whom the MLflow server connects.
ROLE = "mlflow"
_DEBIAN = Path("/usr/lib/postgresql")
_OPTIONS = {
    # With no folder for Unix sockets there is no way in besides the port, with a password.
    "unix_socket_directories": "",
    # The data are thrown away when the cluster ends. They survive a killed process; only a power
    # cut could damage them.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
_MISSING = (
    "PostgreSQL must be installed, but there is no program {program}; on Debian: apt install "
    "postgresql. With --no-postgres MLflow keeps its data in a file of SQLite"
)


def postgres(place: Place) -> Part:
    """The database server. PostgreSQL refuses to run as root, and then it runs as its own user.

    Raises:
        TopologyError: if it is not installed.
    """
    data = _home(place) / "data"
    settings = {
        "listen_addresses": place.host,
        "port": str(place.ports[NAME]["sql"]),
        **_OPTIONS,
    }
    return Part(
        NAME,
        (
            _program("postgres"),
            f"-D{data}",
            *(f"--{name}={value}" for name, value in settings.items()),
        ),
        environment.base(),
        lambda _: _check(place),
        prepare=lambda: _prepare(place),
        account=account(),
    )


def account() -> pwd.struct_passwd | None:
    """The user as whom PostgreSQL runs if this one is root; None for this one.

    Raises:
        TopologyError: if this user is root, and there is no user ``postgres``.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError as error:
        raise TopologyError(_MISSING.format(program="postgres")) from error


def uri(place: Place, database: str) -> str:
    """The address of a database. The password is not in it, but in the file of `password_file`."""
    return f"postgresql+psycopg2://{ROLE}@{place.host}:{place.ports[NAME]['sql']}/{database}"


def password_file(place: Place) -> Path:
    """The file from which the MLflow server reads its password."""
    return place.folder / "pgpass"


def _home(place: Place) -> Path:
    return place.folder / NAME


def _prepare(place: Place) -> None:
    host, port = place.host, place.ports[NAME]["sql"]
    write_private(password_file(place), f"{host}:{port}:*:{ROLE}:{place.keys.postgres}\n")
    home, user = _home(place), account()
    if (home / "made").exists():
        # A server that was killed has left it, and its id may belong to another process by now.
        (home / "data" / "postmaster.pid").unlink(missing_ok=True)
        return
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    if user is not None:
        # The folder of the cluster is root's. Its group lets this user pass, and nobody else.
        os.chown(place.folder, 0, user.pw_gid)
        place.folder.chmod(0o710)
        os.chown(home, user.pw_uid, user.pw_gid)
        if subprocess.run(["test", "-x", home], check=False, **as_user(user)).returncode:
            raise TopologyError(
                f"the user {user.pw_name}, as whom PostgreSQL runs because you are root, must be "
                f"able to pass the folders above {place.folder}, but is not; name a folder in "
                "another place with --dir, for example in /tmp"
            )
    # The administrator's password is known to nobody: the server is set up before it listens.
    asked = home / "administrator"
    write_private(asked, secrets.token_hex(32))
    if user is not None:
        os.chown(asked, user.pw_uid, user.pw_gid)
    _run(
        place,
        "initdb",
        f"--pgdata={home / 'data'}",
        "--username=postgres",
        f"--pwfile={asked}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    )
    asked.unlink()
    # Each statement is a line. They come through a pipe, so that no argument has the password.
    statements = [f"CREATE ROLE {ROLE} LOGIN PASSWORD '{place.keys.postgres}'"]
    statements += [f"CREATE DATABASE {name} OWNER {ROLE}" for name in DATABASES]
    data = f"-D{home / 'data'}"
    _run(place, "postgres", "--single", data, "postgres", text="\n".join([*statements, ""]))
    (home / "made").touch()


def _run(place: Place, program: str, *arguments: str, text: str = "") -> None:
    done = subprocess.run(
        [_program(program), *arguments],
        input=text,
        text=True,
        capture_output=True,
        cwd=_home(place),
        env=environment.base(),
        umask=0o077,
        check=False,
        **as_user(account()),
    )
    with place.log(NAME).open("a") as log:
        log.write(done.stderr)
    # A server that serves a single user goes on after an error, and tells of it.
    if done.returncode or "ERROR" in done.stderr:
        raise TopologyError(f"{program} must set PostgreSQL up, but it said: {done.stderr.strip()}")


def _program(name: str) -> str:
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name))
    for folder in reversed(versions):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise TopologyError(_MISSING.format(program=name))
    return found


def _check(place: Place) -> None:
    import psycopg2

    for database in DATABASES:
        try:
            connection = psycopg2.connect(
                host=place.host,
                port=place.ports[NAME]["sql"],
                user=ROLE,
                password=place.keys.postgres,
                dbname=database,
                connect_timeout=5,
            )
        except psycopg2.Error as error:
            raise NotYetError(f"PostgreSQL: {str(error).strip()}") from error
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connection.close()
