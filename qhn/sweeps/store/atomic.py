"""Atomic replacement of files: a reader sees the old or the new content, and never a part."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from pathlib import Path

from qhn.sweeps.store.backend import TEMPORARY

_numbers = itertools.count()


def write_atomically(path: Path, content: bytes, mode: int, *, durable: bool) -> None:
    """Replace a file. If the process is killed at any moment, the old or the new file is there.

    Args:
        path: the file. Its folder must exist.
        content: the new content.
        mode: the permissions of the file, from which the process's umask takes away.
        durable: whether the content reaches the disk before the file gets its name. Otherwise a
            power cut could leave a file with the right name and without content.

    Raises:
        OSError: if the folder cannot be written (disk full, read-only, gone).
    """
    # The content is written to a temporary file in the same folder, since only within a file system
    # can a file be renamed atomically. Its name has the number of the write, because two threads of
    # one process may write the same file, and host and process, for `remove_leftovers`.
    owner = f"{next(_numbers)}.{socket.gethostname()}.{os.getpid()}"
    temporary = path.with_name(f"{path.name}.{owner}{TEMPORARY}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                # `flush` hands Python's buffer to the system, and `fsync` waits for the disk.
                file.flush()
                os.fsync(file.fileno())
        # The folder is not synced. A power cut can therefore undo this renaming, which leaves the
        # old file: it costs the newest content, and never a whole file.
        temporary.replace(path)
    except OSError:
        # A temporary file that nobody will read must not fill a full disk further.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of a folder whose writers, on this machine, have been killed.

    Temporary files of living processes stay. Another sweep with the same trial may be writing, or a
    process that has not noticed yet that its driver was killed. Processes of other machines cannot
    be checked, so their files stay as well.
    """
    ours = f".{socket.gethostname()}."
    for path in folder.iterdir():
        name = path.name
        before, _, process = name.removesuffix(TEMPORARY).rpartition(".")
        if not name.endswith(TEMPORARY) or not f"{before}.".endswith(ours):
            continue
        if process.isdecimal() and not is_alive(int(process)):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this machine exists."""
    try:
        # Signal 0 is not delivered. The system only checks whether it could be.
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        # The process exists and belongs to another user.
        pass
    return True
