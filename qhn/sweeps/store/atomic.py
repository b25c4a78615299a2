"""Writing a file so that a reader sees the old content or the new, and never a part of it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from qhn.core.errors import StoreError

TEMPORARY = ".tmp"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``; a kill at any moment leaves the old file or the new one.

    The data reach the disk before the name changes, so that a power cut cannot leave a file that
    has the new name and no content.

    Raises:
        StoreError: if the folder cannot be written (full, read-only, gone).
    """
    temporary = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StoreError(
            f"the store must be writable, but writing {path} failed: {error.strerror or error}; "
            "free space or mend the permissions, then run the same command again"
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Delete what writers of this machine that were killed half-way left in a folder.

    Others may be writing: another sweep that has the trial as well, or a process whose driver was
    killed and that has not noticed yet.
    """
    for path in folder.glob(f"*.{socket.gethostname()}.*{TEMPORARY}"):
        process = path.name.removesuffix(TEMPORARY).rpartition(".")[2]
        if process.isdigit() and not is_alive(int(process)):
            path.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this machine exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
