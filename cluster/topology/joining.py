"""`cluster/head` and `cluster/worker`: what one machine of a cluster of several starts.

Both become Ray's own command (`topology.ray_start`), so that a signal reaches Ray itself.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from topology import interfaces
from topology.environment import LOOPBACK, NODE
from topology.errors import TopologyError
from topology.options import lane

HEAD = "head"
WORKER = "worker"
_MISTAKE = 2
_READABLE_BY_OTHERS = 0o077
# Where RAY_AUTH_TOKEN_PATH names no file.
_TOKEN_FILE = ".ray/auth_token"


def main() -> None:
    """Start a node. Mistakes that a person can mend end it with exit code 2."""
    role, *given = sys.argv[1:]
    arguments = _parser(role).parse_args(given)
    try:
        options = ray_options(role, arguments)
        os.environ.update(environment(os.environ, Path.home()))
        if not any(option.startswith("--temp-dir") for option in options):
            # Below it, because Ray opens the folder that it is given to everybody.
            folder = private_folder(Path(tempfile.gettempdir())) / "ray"
            options.append(f"--temp-dir={folder}")
    except TopologyError as error:
        print(f"cluster/{role}: {error}", file=sys.stderr)
        sys.exit(_MISTAKE)
    if "--node-ip-address=127.0.0.1" in options:
        os.environ.update(LOOPBACK)
    # Only now, because Ray reads the environment when it is imported.
    from topology import ray_start

    sys.argv[1:] = options
    ray_start.main()


def ray_options(role: str, arguments: argparse.Namespace) -> list[str]:
    """The command of Ray that starts a node.

    Args:
        role: ``head`` or ``worker``.
        arguments: the options of `cluster/head` or `cluster/worker`.

    Raises:
        TopologyError: if there is no such interface, or it does not reach the head.
    """
    if role == HEAD:
        host = interfaces.address_of(arguments.interface)
        own = [
            "--head",
            f"--port={arguments.port}",
            f"--dashboard-host={host}",
            f"--dashboard-port={arguments.dashboard_port}",
        ]
    else:
        host = interfaces.address_towards(arguments.address, arguments.interface)
        own = [f"--address={arguments.address}"]
    if arguments.cpus is not None:
        own.append(f"--num-cpus={arguments.cpus}")
    resources = {f"lane:{name}": slots for name, slots in map(lane, arguments.lanes)}
    return [
        "start",
        *([] if arguments.background else ["--block"]),
        *own,
        f"--node-ip-address={host}",
        f"--resources={json.dumps(resources)}",
        "--disable-usage-stats",
        *arguments.ray,
    ]


def environment(given: Mapping[str, str], home: Path) -> dict[str, str]:
    """What Ray's processes get besides what is there already.

    Args:
        given: the environment of the command.
        home: the folder in which Ray looks for a token.

    Raises:
        TopologyError: if there is no token, or others can read it.
    """
    mode = given.get("RAY_AUTH_MODE", "token")
    if mode != "token":
        raise TopologyError(f"RAY_AUTH_MODE must be token, but got {mode}; unset it")
    if not given.get("RAY_AUTH_TOKEN"):
        _check_token(Path(given.get("RAY_AUTH_TOKEN_PATH") or home / _TOKEN_FILE))
    return {
        "RAY_AUTH_MODE": "token",
        # The job server calls `qhn` for sweeps that are submitted.
        "PATH": f"{Path(sys.executable).parent}:{given.get('PATH', os.defpath)}",
        **{name: value for name, value in NODE.items() if name not in given},
    }


def private_folder(parent: Path) -> Path:
    """A folder that only this user can enter, for the one of Ray, to which everybody may write.

    Raises:
        TopologyError: if it belongs to somebody else, or cannot be made.
    """
    folder = parent / f"qhn-ray-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        there = folder.lstat()
    except OSError as error:
        raise TopologyError(
            f"Ray's files must be in {folder}, but it cannot be made ({error.strerror}); name "
            "another folder with TMPDIR"
        ) from None
    is_own = stat.S_ISDIR(there.st_mode) and there.st_uid == os.getuid()
    if not is_own or there.st_mode & _READABLE_BY_OTHERS:
        raise TopologyError(
            f"{folder} must be a folder of yours that nobody else may use; remove it, or name "
            "another folder with TMPDIR"
        )
    return folder


def _check_token(file: Path) -> None:
    way_out = (
        "make one with `umask 077; ray get-auth-token --generate`, and copy it to all machines"
    )
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise TopologyError(
            f"a token must be in {file}, but it cannot be read ({error.strerror}); {way_out}"
        ) from None
    if mode & _READABLE_BY_OTHERS:
        raise TopologyError(
            f"nobody else may read the token in {file}, but its mode is {mode & 0o777:03o}; call "
            f"`chmod 600 {file}`"
        )


def _parser(role: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"cluster/{role}",
        description=f"Start the {role} of a cluster in the foreground. SIGTERM ends it.",
    )
    add = parser.add_argument
    if role == HEAD:
        add("--interface", default="127.0.0.1", help="name or address (127.0.0.1)", metavar="IF")
        add("--port", type=int, default=6379, metavar="P", help="where workers join (6379)")
        add("--dashboard-port", type=int, default=8265, metavar="P", help="the job server's (8265)")
    else:
        add("--address", required=True, metavar="HOST:PORT", help="where the head is")
        add("--interface", metavar="IF", help="name or address (the one that leads to the head)")
    cpus = "0, so that drivers have the machine" if role == HEAD else "all"
    add(
        "--cpus",
        type=int,
        default=0 if role == HEAD else None,
        metavar="N",
        help=f"simulated trials at once ({cpus})",
    )
    add(
        "--lanes",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=N",
        help="how many trials of a lane may live at once on this machine",
    )
    add("--background", action="store_true", help="return when the node has started")
    add("ray", nargs="*", metavar="-- RAY", help="further options of `ray start`, after --")
    return parser


if __name__ == "__main__":
    main()
