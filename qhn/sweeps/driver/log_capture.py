"""Sends everything that libraries print to a log file, and not to the terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from qhn.core.errors import StoreError


@contextmanager
def output_to(log_file: Path) -> Iterator[TextIO]:
    """Send everything that this process and its children print to a file.

    Not only Python's streams are redirected but the file descriptors 1 and 2, because Ray's
    processes and its C++ code print as well.

    Args:
        log_file: the file. Its folder is made if it is missing, and new text is put at its end.

    Yields:
        A stream to the standard output of before, for what people should see.

    Raises:
        StoreError: if the file cannot be written.
    """
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise StoreError(
            f"the store must be writable, but the log {log_file} is not: {error.strerror}"
        ) from None
    # What Python has buffered was printed before, and belongs to the terminal.
    sys.stdout.flush()
    sys.stderr.flush()
    saved = (os.dup(1), os.dup(2))
    handler = logging.FileHandler(log_file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    terminal = os.fdopen(os.dup(saved[0]), "w", encoding="utf-8", errors="replace")
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield terminal
    finally:
        # What is in the buffers now belongs to the log, so it is flushed before the descriptors
        # lead to the terminal again.
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, stream in zip(saved, (1, 2), strict=True):
            os.dup2(descriptor, stream)
            os.close(descriptor)
        os.close(target)
        terminal.close()
        root.removeHandler(handler)
        handler.close()
