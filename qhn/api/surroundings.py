"""Restores what belongs to the calling program after a run: signal handlers and environment."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from qhn.sweeps.driver.handlers import handlers_kept


@contextmanager
def surroundings_kept() -> Iterator[None]:
    """Restore signal handlers, environment variables and `sys.excepthook` when the context closes.

    Ray and MLflow take their settings from environment variables, and Ray sets an excepthook when
    it is imported. The working directory is not changed, except if it was deleted: then the run
    leaves it, because MLflow cannot open a database there.
    """
    environment, hook = dict(os.environ), sys.excepthook
    with handlers_kept():
        try:
            yield
        finally:
            sys.excepthook = hook
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)


@contextmanager
def ctrl_c_held() -> Iterator[None]:
    """Delay Ctrl-C until the context closes, and then call the program's own handler for it.

    If Ray is interrupted while it starts, it swallows the Ctrl-C or crashes later. A second Ctrl-C
    is not delayed, because something may hang.
    """
    handler = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or not callable(handler):
        # Python handles signals only in the main thread. If the program ignores SIGINT, or has
        # left it to the operating system, there is no handler to call later.
        with handlers_kept():
            yield
        return
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            raise KeyboardInterrupt
        held.append((number, frame))

    # `handlers_kept` also puts the program's handler back in place of `hold`.
    with handlers_kept():
        signal.signal(signal.SIGINT, hold)
        yield
    if held:
        handler(*held[0])
