"""Ctrl-C, ``kill`` and a closed terminal stop a sweep cleanly, also before and after training.

Signals are the command line's affair: a program that calls `qhn.sweeps.driver` keeps its own
handlers. Ray's native code takes SIGTERM (not Ctrl-C) for itself in the last third of a second of
its start and in the second in which it stops, and ends the process at once. That is why the
process that a person started passes every stop on as Ctrl-C (see `qhn.cli.supervisor`).
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
    """Signals that ask for an end; whoever starts us with ``nohup`` means no end by SIGHUP."""
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


@contextmanager
def clean_stops() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does; afterwards signals do what they did before.

    Off the main thread, where Python cannot handle signals, nothing changes.
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
    """Hold a first stop back until the context closes, whatever handlers libraries set in it.

    Interrupted while it is imported or starts, Ray swallows the stop, or crashes at the end of
    the process. A second stop is not held back: something may hang.

    Raises:
        KeyboardInterrupt: when the context closes, if a stop was held back.
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
        # Ray's handlers of SIGTERM would end the process in the midst of its start.
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
        # Tune handles SIGINT itself while it trains, so there is nobody to pass it on to.
        ours = signal.default_int_handler if number == signal.SIGINT else _stop
        signal.signal(number, ours)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    # While it trains, Tune ends trials in order on SIGUSR1, which it handles only then.
    if callable(signal.getsignal(signal.SIGUSR1)):
        os.kill(os.getpid(), signal.SIGUSR1)
    else:
        raise KeyboardInterrupt
