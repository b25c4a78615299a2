"""``ray start`` for nodes that listen on the loopback interface only, and without Ray's client.

Ray offers no option for either: it adds no node to a cluster on this interface unless it runs on
Windows or macOS and is told to, and it starts the server of its client, which can do anything that
a driver can, wherever that can be imported.

A worker of a cluster also keeps SIGTERM from the processes that it starts.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import SimpleNamespace

from ray.scripts import scripts


def main() -> None:
    """Do what the command ``ray`` does."""
    scripts.get_ray_client_dependency_error = lambda: "it is not wanted here"
    known = {**vars(scripts.ray_constants), "ENABLE_RAY_CLUSTER": True}
    scripts.ray_constants = SimpleNamespace(**known)
    if "--block" in sys.argv and "--head" not in sys.argv:
        _keep_sigterm()
    sys.argv[0] = "ray"
    scripts.main()


def _keep_sigterm() -> None:
    """Let SIGTERM reach this process, but none that it starts.

    Schedulers such as Slurm send the signal to all processes of a node at once. On this one, it
    makes Ray drain the node, which takes some seconds. But a raylet that gets it ends within
    milliseconds, and all processes of trials with it, before they could save anything.

    What a thread blocks is inherited by the processes that it starts. So the main thread, in which
    Ray starts them, blocks the signal, and another thread takes it. Python runs the handler in the
    main thread all the same, at the latest when that wakes from its sleep of a second. A process
    that wants the signal must unblock it, as those of trials do.
    """
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


if __name__ == "__main__":
    main()
