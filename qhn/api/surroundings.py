"""What a run leaves as it was, since it belongs to the program that called it."""

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
    """Put signal handlers, environment and hook for exceptions back when the context closes.

    Ray and MLflow take their settings from the environment, and Ray sets a hook when it is
    imported. A working directory stays what it is, but for one that was deleted: MLflow cannot
    open a database there.
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
    """Hold Ctrl-C back until the context closes, then do what the program does on Ctrl-C.

    Ray would swallow it, or crash later, where it is interrupted in the midst of its start. A
    second Ctrl-C is not held back: something may hang.
    """
    handler = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or not callable(handler):
        # Ctrl-C comes to the main thread alone, and to no Python where it is ignored.
        with handlers_kept():
            yield
        return
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            raise KeyboardInterrupt
        held.append((number, frame))

    with handlers_kept():
        signal.signal(signal.SIGINT, hold)
        yield
    if held:
        handler(*held[0])
