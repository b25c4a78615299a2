"""Signal handlers belong to whoever called us: what libraries change is put back.

Ray and Tune set handlers of their own while they start and while they train. A program that calls
qhn, a notebook for example, must find its handlers afterwards as it had left them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

#: What surrounds work that must not be interrupted in its middle, such as Ray's start. The command
#: line passes one that holds stops back (`qhn.cli.signals.held_back`).
Shield = Callable[[], AbstractContextManager[None]]


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Put the handlers of the usual stop signals back when the context closes.

    Off the main thread, where Python cannot set handlers, nothing changes and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(number, signal.getsignal(number)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            # None stands for a handler that was not set from Python, and cannot be set from it.
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
