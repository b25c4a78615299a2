"""What the driver and the writer's process say to each other: JSON objects, one on each line.

From the driver::

    {"begin": {"store", "uri", "database", "ours", "sweep", "known"}}    the first message
    {"update": [trial ids], "known": {trial id: ...}}    bring these trials up to date
    {"known": {trial id: ...}}                           all that is known of trials, anew
    {"drop": true}                                       leave what waits unwritten
    {"call": number, "name": "finish" or "close_sweep", "arguments": {...}}
    {"end": true}                                        nothing more comes; the pipe is closed

From the writer::

    {"ready": true} or {"failed": error}                 whether the tracking store can be used
    {"waiting": number}                                  trials that MLflow does not have yet
    {"answer": number, "value": ...} or {"answer": number, "error": error}

The address of a tracking store may hold a password. It travels here and nowhere else: everybody on
a machine can read the arguments of its processes.
"""

from __future__ import annotations

import json
from typing import Any

from qhn.core import errors
from qhn.core.errors import DamagedError, QhnError, TrackingError

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """One message as a line."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line."""
    message: Message = json.loads(line)
    return message


def error_to_json(error: QhnError) -> dict[str, str]:
    """An error of ours, for the other process."""
    return {"kind": type(error).__name__, "message": str(error)}


def error_from_json(values: dict[str, str]) -> QhnError:
    """The error that the other process has met: of the same class, with the same message."""
    kind = getattr(errors, values["kind"], TrackingError)
    # A damaged file is named by three values, of which the message alone is left.
    if not (isinstance(kind, type) and issubclass(kind, QhnError)) or kind is DamagedError:
        kind = TrackingError
    return kind(values["message"])
