"""Ctrl-C and ``kill`` stop a sweep cleanly at every moment, also before and after training."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def clean_stops() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does; afterwards all signals do what they did before.

    Off the main thread, where Python cannot handle signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(number, signal.getsignal(number)) for number in _SIGNALS]
    take_over()
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def take_over() -> None:
    """Handle SIGTERM and SIGINT here: once more after libraries that handle them have run."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    # While it trains, Tune ends trials in order on SIGUSR1, which it handles only then.
    if callable(signal.getsignal(signal.SIGUSR1)):
        os.kill(os.getpid(), signal.SIGUSR1)
    else:
        raise KeyboardInterrupt
