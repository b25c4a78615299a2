"""Writing a file so that a reader sees the old content or the new, and never a part of it."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from pathlib import Path

from qhn.sweeps.store.backend import TEMPORARY

_numbers = itertools.count()


def write_atomically(path: Path, content: bytes, mode: int, *, durable: bool) -> None:
    """Replace ``path`` by ``content``; a kill at any moment leaves the old file or the new one.

    Args:
        path: the file, in a folder that is there.
        content: what to write.
        mode: for a new file, less what the process's umask takes away.
        durable: whether the data reach the disk before the name changes, so that a power cut
            cannot leave a file that has the new name and no content.

    Raises:
        OSError: if the folder cannot be written (full, read-only, gone).
    """
    # Two threads of one process may write the same file.
    owner = f"{next(_numbers)}.{socket.gethostname()}.{os.getpid()}"
    temporary = path.with_name(f"{path.name}.{owner}{TEMPORARY}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        # A full disk must not be filled further by what nobody will read.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Delete what writers of this machine that were killed half-way left in a folder.

    Others may be writing: another sweep that has the trial as well, or a process whose driver was
    killed and that has not noticed yet.
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
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
