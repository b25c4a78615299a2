"""The messages between the driver and the writer's process: JSON objects, one on each line.

From the driver::

    {"begin": {"store", "uri", "database", "ours", "sweep", "known"}}    the first message
    {"update": [trial ids], "known": {trial id: ...}}    bring these trials up to date
    {"known": {trial id: ...}}                           replace all that is known of trials
    {"drop": true}                  forget the trials that wait, and stop the calls made so far
    {"call": number, "name": "finish" or "close_sweep", "arguments": {...}}
    {"end": true}                                        the last message

From the writer::

    {"ready": true} or {"failed": error}                 whether the tracking store can be used
    {"waiting": number}                                  trials that are not written yet
    {"answer": number, "value": ...} or {"answer": number, "error": error}

"known" says how far the sweep has heard of a trial (`qhn.sweeps.tracking.knowledge`). An answer has
the number of its call.

The address of a tracking store may hold a password. It is sent through the pipe and not as an
argument of the process, because every user of a machine can read the arguments of all processes.
"""

from __future__ import annotations

import json
from typing import Any

from qhn.core import errors
from qhn.core.errors import DamagedError, QhnError, TrackingError

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """A message as a line of UTF-8 text, with its newline."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message in a line that `encode` made."""
    message: Message = json.loads(line)
    return message


def error_to_json(error: QhnError) -> dict[str, str]:
    """The class name and the message of one of qhn's errors, for the other process."""
    return {"kind": type(error).__name__, "message": str(error)}


def error_from_json(values: dict[str, str]) -> QhnError:
    """The error that `error_to_json` described: the same class with the same message.

    An unknown class, and `DamagedError`, become a `TrackingError`.
    """
    kind = getattr(errors, values["kind"], TrackingError)
    # A `DamagedError` is made from three values, and only its message was sent.
    if not (isinstance(kind, type) and issubclass(kind, QhnError)) or kind is DamagedError:
        kind = TrackingError
    return kind(values["message"])
