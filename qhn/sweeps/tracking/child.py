"""Starts the process that writes to MLflow as a child of the driver, and talks to it by pipes."""

from __future__ import annotations

import logging
import os
import queue
import site
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from qhn.sweeps.tracking.limits import MODULE, PATIENCE_S
from qhn.sweeps.tracking.protocol import Message, decode, encode

_log = logging.getLogger(__name__)
# With -P, Python does not look for modules in the working directory, which may have been deleted.
_COMMAND = (sys.executable, "-P", "-m", MODULE)


class Child:
    """The process of one writer, and the two threads that send and receive its messages.

    A pipe can be full for as long as the writer is busy. Tune's loop must not wait for that, so
    sending and receiving are done by threads.

    Args:
        received: called for each message, in the receiving thread.
        ended: called once with this object and the exit code, in the receiving thread, after the
            process has ended.

    Raises:
        OSError: if the process cannot be started.
        RuntimeError: if a thread for its messages cannot be started.
    """

    def __init__(
        self, received: Callable[[Message], None], ended: Callable[[Child, int], None]
    ) -> None:
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            # Ctrl-C at a terminal reaches every process of its foreground group. The writer must
            # survive it, because the driver still has to tell it how the sweep ended.
            start_new_session=True,
        )
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._received = received
        self._ended = ended
        self._sender = threading.Thread(target=self._send, name="qhn-to-writer", daemon=True)
        self._receiver = threading.Thread(target=self._receive, name="qhn-writer", daemon=True)
        try:
            self._sender.start()
            self._receiver.start()
        except RuntimeError:
            # Memory or the user's limit of threads is used up. Nobody would talk to the process.
            self._process.kill()
            self._process.wait()
            self._outgoing.put(None)
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                stream.close()
            raise

    @property
    def process_id(self) -> int:
        """The process id of the writer."""
        return self._process.pid

    def say(self, message: Message) -> None:
        """Put a message into the queue of the sending thread, and return at once."""
        self._outgoing.put(encode(message))

    def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        self._process.kill()

    def end(self) -> None:
        """Wait for a process that was told to end. If that takes longer than 30 s, kill it.

        If the wait is interrupted, by Ctrl-C for example, the process is killed at once.
        """
        # None ends the sending thread, which closes the pipe.
        self._outgoing.put(None)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        except BaseException:
            # Nobody would end it later, and the next run of the sweep needs its lock.
            self._process.kill()
            raise
        self._receiver.join()

    def _send(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        # If the process has died, writing fails. `_receive` notices the end and reports it.
        with suppress(OSError), stream:
            while (line := self._outgoing.get()) is not None:
                stream.write(line)
                stream.flush()

    def _receive(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            with stream:
                for line in stream:
                    self._received(decode(line))
        except Exception as error:  # noqa: BLE001 - Nobody else would learn that this thread ends.
            # A line that is no message comes from a process that was killed while it wrote, or from
            # a library that writes into the pipe. From a process that still runs, nothing can be
            # understood any more.
            _log.warning(
                "the process that writes to MLflow sent a line that is no message: %r", error
            )
            self._process.kill()
        finally:
            code = self._process.wait()
            self._outgoing.put(None)
            self._ended(self, code)


def _environment() -> dict[str, str]:
    """The environment of the writer, which must run the same qhn as this process."""
    # With this variable set, MLflow would attach new runs to that run instead of their parents.
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_RUN_ID"}
    # A notebook may have put the folder of qhn into `sys.path`, which a new process does not get.
    folder = str(Path(__file__).parents[3])
    # Folders of PYTHONPATH come before the standard library. What is installed must not: there are
    # packages that have the names of modules of the standard library.
    if folder not in (*site.getsitepackages(), site.getusersitepackages()):
        former = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = folder if not former else f"{folder}{os.pathsep}{former}"
    return environment
