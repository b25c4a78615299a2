"""Lets Ctrl-C, ``kill`` and a closed terminal stop a sweep in order, also before it trains.

Only the command line sets signal handlers. A program that calls `qhn.sweeps.driver` keeps its own.
While Ray starts, in the last third of a second, and while it stops, its native code handles SIGTERM
(but not SIGINT) and ends the process at once. So the process that the user has started passes every
stop on as SIGINT (see `qhn.cli.supervisor`).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def _stops() -> list[signal.Signals]:
    """The signals that stop a sweep."""
    # `nohup` starts us with SIGHUP ignored, so that we survive a closed terminal.
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


@contextmanager
def clean_stops() -> Iterator[None]:
    """Let SIGTERM and SIGHUP stop a sweep as Ctrl-C does, until the context closes.

    Python can set handlers only in the main thread. In other threads this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(number, signal.getsignal(number)) for number in _SIGNALS]
    _take_over()
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Delay a stop until the context closes, even if libraries set handlers meanwhile.

    If Ray is interrupted while it is imported or starts, it swallows the stop, or crashes at the
    end of the process. A second stop is not delayed, because something may hang.

    Raises:
        KeyboardInterrupt: when the context closes, if there was a stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held = False

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal held
        if held:
            raise KeyboardInterrupt
        held = True

    set_handler, stops = signal.signal, _stops()

    def pass_over(number: int, handler: Any) -> Any:
        # Ray sets a handler for SIGTERM that would end the process while it starts. Its calls for
        # the stop signals are ignored, and return the present handler as `signal.signal` does.
        return signal.getsignal(number) if number in stops else set_handler(number, handler)

    for number in stops:
        set_handler(number, hold)
    signal.signal = pass_over  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = set_handler
        _take_over()
    if held:
        raise KeyboardInterrupt


def _take_over() -> None:
    for number in _stops():
        # While it trains, Tune replaces the handler of SIGINT by its own, which ends the run in
        # order. Before and after that, Python's handler raises a KeyboardInterrupt.
        ours = signal.default_int_handler if number == signal.SIGINT else _stop
        signal.signal(number, ours)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    # While it trains, and only then, Tune has a handler for SIGUSR1, which ends the run in order.
    if callable(signal.getsignal(signal.SIGUSR1)):
        os.kill(os.getpid(), signal.SIGUSR1)
    else:
        raise KeyboardInterrupt
