"""``ray start`` for nodes that listen on the loopback interface only, and without Ray's client.

Ray offers no option for either: it adds no node to a cluster on this interface unless it runs on
Windows or macOS and is told to, and it starts the server of its client, which can do anything that
a driver can, wherever that can be imported.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

from ray.scripts import scripts


def main() -> None:
    """Do what the command ``ray`` does."""
    scripts.get_ray_client_dependency_error = lambda: "it is not wanted here"
    known = {**vars(scripts.ray_constants), "ENABLE_RAY_CLUSTER": True}
    scripts.ray_constants = SimpleNamespace(**known)
    sys.argv[0] = "ray"
    scripts.main()


if __name__ == "__main__":
    main()
