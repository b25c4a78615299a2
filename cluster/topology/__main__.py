"""The command line of `cluster/local`."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from pathlib import Path

from topology.cluster import Cluster
from topology.errors import TopologyError
from topology.folder import default_folder
from topology.options import Options, lane

_MISTAKE = 2
_INTERRUPTED = 130
_GRACE_S = 30.0


def main() -> None:
    """Run a command. Mistakes that a person can mend end it with exit code 2."""
    # Whoever ends the command wants what it has started to be ended, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _parser().parse_args()
    try:
        _run(Cluster(arguments.dir), arguments)
    except TopologyError as error:
        print(f"cluster/local: {error}", file=sys.stderr)
        sys.exit(_MISTAKE)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _run(cluster: Cluster, arguments: argparse.Namespace) -> None:
    command = arguments.command
    if command == "up":
        cluster.up(_options(arguments))
        print(f'the cluster is up; to use it: eval "$(cluster/local env --dir {cluster.folder})"')
    elif command == "down":
        cluster.down()
    elif command == "env":
        _print_env(cluster.exports(), arguments.json)
    elif command == "status":
        _print_status(cluster.status(), arguments.json)
    elif command == "start":
        print(f"{cluster.start(arguments.part)} is healthy")
    elif command == "kill":
        print(f"{arguments.part}: ended {cluster.kill(arguments.part)} processes")
    elif command == "stop":
        cluster.stop(arguments.part, arguments.grace)
    elif command == "pause":
        cluster.pause(arguments.part)
    else:
        cluster.unpause(arguments.part)


def _options(arguments: argparse.Namespace) -> Options | None:
    given = {
        name: value
        for name in ("workers", "cpus_per_worker", "port", "store", "gateway_env", "postgres")
        if (value := getattr(arguments, name)) is not None
    }
    if arguments.lanes:
        given["lanes"] = dict(map(lane, arguments.lanes))
    for name in ("store", "gateway_env"):
        if name in given:
            given[name] = str(Path(given[name]).absolute())
    return Options(**given) if given else None


def _print_env(variables: dict[str, str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(variables, indent=1))
        return
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


def _print_status(parts: dict[str, dict[str, object]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(parts, indent=1))
        return
    for name, found in parts.items():
        ports = " ".join(f"{name}={port}" for name, port in dict(found["ports"]).items())  # type: ignore[call-overload]
        print(f"{name:10} {found['state']!s:10} {found['pid'] or '-'!s:>8}  {ports}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cluster/local",
        description="A cluster on this machine, as plain processes that listen on 127.0.0.1 only: "
        "Ray with a head, workers and a gateway to quantum processors, PostgreSQL, an MLflow "
        "server with a password, and an S3 server. `down` deletes everything that they have "
        "written, so keep results that you need in a folder (--store).",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = _command(commands, "up", "start it, and return when everything is healthy")
    up.add_argument("--port", type=int, metavar="P", help="take the ports from P on")
    up.add_argument("--workers", type=int, metavar="N", help="workers besides the gateway (1)")
    up.add_argument(
        "--cpus-per-worker", type=int, metavar="N", help="simulated trials on each worker at once"
    )
    up.add_argument(
        "--lanes",
        nargs="+",
        action="extend",
        metavar="NAME=N",
        help="how many trials of a lane may live at once, which is then bound to the gateway",
    )
    up.add_argument(
        "--gateway-env",
        metavar="FILE",
        help="a file with lines NAME=VALUE for the gateway alone, such as a provider's token",
    )
    up.add_argument("--store", metavar="FOLDER", help="keep the store in a folder, without S3")
    up.add_argument(
        "--no-postgres",
        dest="postgres",
        action="store_false",
        default=None,
        help="let MLflow keep its data in a file of SQLite",
    )
    _command(commands, "down", "end everything and delete what it has written")
    env = _command(commands, "env", "print what a client must export")
    status = _command(commands, "status", "show the parts with their processes and ports")
    for shown in (env, status):
        shown.add_argument("--json", action="store_true", help="print JSON")
    for name, text in {
        "start": "start a part that was ended; `worker` adds a worker",
        "kill": "end a part at once, as a power cut would",
        "stop": "ask a part to end, and end it after a while",
        "pause": "let a part not answer any more, without ending it",
        "unpause": "let a part go on that was paused",
    }.items():
        command = _command(commands, name, text)
        command.add_argument("part", metavar="PART", help="head, worker-1, gateway, mlflow, ...")
        if name == "stop":
            command.add_argument(
                "--grace", type=float, default=_GRACE_S, metavar="S", help="seconds to wait (30)"
            )
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.add_argument(
        "--dir",
        type=Path,
        default=default_folder(),
        metavar="DIR",
        help=f"the private folder of the cluster ({default_folder()})",
    )
    return command


if __name__ == "__main__":
    main()
