"""``qhn sweep schema``: prints the JSON schema of sweep files for editors."""

from __future__ import annotations

import json

import typer


def print_schema() -> None:
    """Print the JSON schema of sweep files, with which an editor completes and checks them.

    Write it to a file, and name that file on the first line of a sweep file:

    # yaml-language-server: $schema=sweep.schema.json
    """
    from qhn.sweeps.spec.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
