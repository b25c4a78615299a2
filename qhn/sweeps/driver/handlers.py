"""Puts signal handlers back that libraries have changed.

Ray and Tune set signal handlers while they start and while they train. A program that calls qhn, a
notebook for example, must afterwards find the handlers that it had before.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

#: A function that makes a context for work that must not be interrupted, such as the start of Ray.
#: The command line passes one that delays Ctrl-C and other stops (`qhn.cli.signals.held_back`).
Shield = Callable[[], AbstractContextManager[None]]


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Put the handlers of SIGINT, SIGTERM, SIGHUP and SIGUSR1 back when the context closes.

    Python can set handlers only in the main thread. In other threads nothing is done, and libraries
    cannot change handlers there either.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(number, signal.getsignal(number)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            # None means a handler that was not set from Python, which Python cannot set again.
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
