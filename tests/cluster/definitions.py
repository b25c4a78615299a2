"""What the files of `cluster/` and `docker/` say, and whether commands in them are real."""

import re
import subprocess
import warnings
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
DOCKER = ROOT / "docker"


def read_yaml(path):
    """All documents of a file."""
    return list(yaml.safe_load_all(path.read_text()))


def pins():
    """The pinned version of each package."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def check_click(command, arguments, *path):
    """Fail unless a command of click takes these arguments. Nothing is run."""
    context = command.context_class(command, info_name=path[-1])
    # Typer has a click of its own, so that only the names of its methods are the same.
    if hasattr(command, "resolve_command"):
        name, found, rest = command.resolve_command(context, list(arguments))
        check_click(found, rest, *path, name)
        return
    _, unused, _ = command.make_parser(context).parse_args(args=list(arguments))
    assert not unused, f"{' '.join(path)} takes no {unused}"


def check_ray(arguments):
    """Fail unless Ray's own command takes these arguments."""
    from ray.dashboard.modules.job.cli import job_cli_group
    from ray.scripts.scripts import cli

    if arguments[0] == "job":
        check_click(job_cli_group, arguments[1:], "ray", "job")
    else:
        check_click(cli, arguments, "ray")


def check_qhn(arguments):
    """Fail unless `qhn` takes these arguments."""
    import typer.main

    from qhn.cli.app import app

    check_click(typer.main.get_command(app), arguments, "qhn")


def check_mlflow(arguments):
    """Fail unless MLflow's command takes these arguments."""
    # Its imports warn of each other.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.cli import cli

    check_click(cli, arguments, "mlflow")


def check_node(arguments):
    """Fail unless `cluster/head` or `cluster/worker` takes these arguments; how it reads them."""
    from topology import joining

    role = Path(arguments[0]).name
    parsed = joining._parser(role).parse_args(arguments[1:])
    assert all(re.fullmatch(r"[\w-]+=\d+", lane) for lane in parsed.lanes)
    check_ray(["start", *parsed.ray])
    return parsed


def with_defaults(value, variables=None):
    """A text of a compose file with the defaults of its variables, or the values given."""
    known = variables or {}

    def fill(match):
        return known.get(match["name"], match["default"] or "")

    return re.sub(r"\$\{(?P<name>\w+)(?::[-?](?P<default>[^}]*))?\}", fill, value)


def check_bash(path):
    """Fail unless a file is a program of bash without mistakes in its syntax."""
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", path], check=True, timeout=20)
