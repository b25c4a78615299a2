"""The S3 server: moto's, behind a check of signatures.

What it holds is in its memory, and is lost with it. A server that keeps objects on disk is neither
among Python's nor among Debian's packages, and one of our own would be more code than the store
that it tests. So a cluster in which the store must survive a killed server has a folder as its
store (``--store FOLDER``); and to see what happens while a store is away, the server is paused.
"""

from __future__ import annotations

import importlib.util
import sys

from topology import environment
from topology.errors import NotYetError, TopologyError
from topology.part import Part
from topology.place import Place

NAME = "s3"


def s3(place: Place) -> Part:
    """The server, with one empty bucket.

    Raises:
        TopologyError: if moto is not installed.
    """
    if importlib.util.find_spec("moto") is None:
        raise TopologyError(
            "the S3 server needs the package moto, but it is not installed; call scripts/setup "
            "dev, or use a folder as the store: --store FOLDER"
        )
    command = (sys.executable, "-m", "topology.s3_server", place.host, str(_port(place)))
    variables = {
        "TOPOLOGY_S3_KEY_ID": place.keys.s3_id,
        "TOPOLOGY_S3_SECRET": place.keys.s3,
        "TOPOLOGY_S3_BUCKET": place.bucket,
        "TOPOLOGY_S3_REGION": place.region,
    }
    return Part(NAME, command, {**environment.base(), **variables}, lambda _: _check(place))


def _port(place: Place) -> int:
    return place.ports[NAME]["http"]


def _check(place: Place) -> None:
    """The server must list its bucket to whoever signs the request."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session

    client = Session().create_client(
        "s3",
        region_name=place.region,
        endpoint_url=place.url(NAME),
        aws_access_key_id=place.keys.s3_id,
        aws_secret_access_key=place.keys.s3,
        config=Config(
            connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 1}, proxies={}
        ),
    )
    try:
        client.list_objects_v2(Bucket=place.bucket, MaxKeys=1)
    except (BotoCoreError, ClientError) as error:
        raise NotYetError(f"S3: {error}") from error
    finally:
        client.close()
