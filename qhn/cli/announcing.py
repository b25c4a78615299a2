"""Prints where a server is once it answers, while this process becomes that server."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable

_SECONDS = 120.0
_EVERY_S = 0.2


def print_when_ready(url: str, lines: Iterable[str]) -> None:
    """Print lines as soon as a server at an address answers; return at once.

    The caller is about to replace itself by the server, so a process of its own has to wait. It
    ends when it has printed, when the server is gone, or after two minutes.

    Args:
        url: an address of the server that answers any request.
        lines: what to print.
    """
    server = os.getpid()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    # Forked a second time, so that the server does not get a child that it knows nothing about
    # and would never wait for.
    if os.fork():
        os._exit(0)
    # Ctrl-C ends the server and this process alike; a traceback would be of no use here.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if wait_for_answer(url, lambda: _is_alive(server)):
            os.write(1, "".join(f"{line}\n" for line in lines).encode())
    finally:
        os._exit(0)


def wait_for_answer(
    url: str, is_alive: Callable[[], bool], seconds: float = _SECONDS, every_s: float = _EVERY_S
) -> bool:
    """Wait until a server answers.

    Args:
        url: where to ask.
        is_alive: whether the server's process is there; False ends the waiting.
        seconds: how long to wait.
        every_s: how many seconds to wait between two questions.

    Returns:
        Whether the server has answered, with whatever status.
    """
    # A proxy knows nothing of a server on the loopback interface.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while is_alive() and time.monotonic() < end:
        try:
            opener.open(url, timeout=seconds).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(every_s)
        else:
            return True
    return False


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True
