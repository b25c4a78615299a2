"""Where a cluster is: its folder, its ports and its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from topology.keys import Keys, token_file
from topology.options import Options


@dataclass(frozen=True)
class Place:
    """What the parts of a cluster know of each other.

    Attributes:
        folder: the private folder with everything that the cluster writes.
        options: how the cluster is made.
        ports: for each part the names and numbers of its ports.
        keys: the secrets.
        host: the address on which everything listens. Ray binds its ports to it only if it is
            exactly this one, so all of Ray's nodes have it.
        bucket: the bucket of the S3 server.
        region: the region that its clients name.
    """

    folder: Path
    options: Options
    ports: Mapping[str, Mapping[str, int]]
    keys: Keys
    host: str = "127.0.0.1"
    bucket: str = "qhn"
    region: str = "us-east-1"

    def url(self, part: str, port: str = "http") -> str:
        """The address of a part's HTTP server."""
        return f"http://{self.host}:{self.ports[part][port]}"

    def log(self, part: str) -> Path:
        """The file to which the processes of a part write."""
        return self.folder / "logs" / f"{part}.log"

    @property
    def token_file(self) -> Path:
        """The file with Ray's token."""
        return token_file(self.folder)
