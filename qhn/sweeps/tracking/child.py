"""The writer's process as a child of this one, with the pipes to it."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from qhn.sweeps.tracking.protocol import Message, decode, encode

# -P: the working directory is no place for modules, and need not even exist.
_COMMAND = (sys.executable, "-P", "-m", "qhn.sweeps.tracking.process")
_SECONDS_TO_END = 30.0


class Child:
    """One writer's process, and the two threads that talk to it.

    Neither sending nor receiving holds the caller up: Tune's loop must not wait for a pipe.

    Args:
        received: called for each message, in a thread.
        ended: called once, with the exit code, when the process is there no more.

    Raises:
        OSError: if the process cannot be started.
    """

    def __init__(
        self, received: Callable[[Message], None], ended: Callable[[Child, int], None]
    ) -> None:
        # An inherited run id would override parents in MLflow.
        environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"}
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            # Ctrl-C at a terminal reaches all that belongs to its session; the writer ends when
            # the driver has had its last word.
            start_new_session=True,
        )
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._received = received
        self._ended = ended
        self._sender = threading.Thread(target=self._send, name="qhn-to-writer", daemon=True)
        self._receiver = threading.Thread(target=self._receive, name="qhn-writer", daemon=True)
        self._sender.start()
        self._receiver.start()

    @property
    def process_id(self) -> int:
        """Its id on this machine."""
        return self._process.pid

    def say(self, message: Message) -> None:
        """Send a message; this returns at once."""
        self._outgoing.put(encode(message))

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self) -> None:
        """Wait for the process, which was told to end; one that does not is killed."""
        self._outgoing.put(None)
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._receiver.join()

    def _send(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        # Where nobody reads any more, `_receive` notices the end.
        with suppress(OSError), stream:
            while (line := self._outgoing.get()) is not None:
                stream.write(line)
                stream.flush()

    def _receive(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            for line in stream:
                self._received(decode(line))
        code = self._process.wait()
        self._outgoing.put(None)
        self._ended(self, code)
