"""The drivers that run on this machine: how many cores each takes, and what killed ones have left.

Each driver keeps a small file, its note, in a folder that only its user can read, and holds a lock
on it as long as it lives. The notes have two uses. A sweep that starts while another one runs takes
the cores that the other one leaves. And if a driver was killed, the next start of any sweep removes
the folder of its Ray. Because only folders that are named in a note are removed, the Ray of another
program is never touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from qhn.core.errors import RayError

# Ray makes Unix sockets below its folder, and the path of a socket may have at most 107 characters.
_LONGEST_FOLDER = 40


@dataclass(frozen=True)
class Neighbour:
    """A driver on this machine.

    Attributes:
        process: its process id.
        sweep: the name of the sweep that it runs.
        cores: how many cores it has taken.
        ray_folder: the folder with the logs and sockets of its Ray.
    """

    process: int
    sweep: str
    cores: int
    ray_folder: str


@dataclass(frozen=True)
class Place:
    """What a driver may use of the machine while it runs.

    Attributes:
        cores: how many cores it may use for trials.
        ray_folder: the folder for its Ray. It is removed with its content when the driver ends.
        others: the drivers that were running before.
    """

    cores: int
    ray_folder: Path
    others: tuple[Neighbour, ...]


def private_folder() -> Path:
    """The folder for the notes of this user's drivers. If it is missing, it is made.

    Only this user can read it.

    Raises:
        RayError: if another user has put something in its place, or it cannot be made.
    """
    base = Path(tempfile.gettempdir())
    if len(str(base)) > _LONGEST_FOLDER:
        base = Path("/tmp")
    folder = base / f"qhn-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Everybody can write to the folder above it, so another user may have made it, or a link
        # in its place, to get at our files.
        ours = not folder.is_symlink() and folder.stat().st_uid == os.getuid()
        if ours:
            folder.chmod(0o700)
    except OSError as error:
        raise RayError(
            f"the folder {folder}, where Ray keeps its files, must be usable, but it is not: "
            f"{error.strerror or error}; free space, or name another place with TMPDIR"
        ) from None
    if not ours:
        raise RayError(
            f"the folder {folder}, where Ray keeps its files, must be this user's, but another "
            "user has made it; ask for its removal, or name another place with TMPDIR"
        )
    return folder


@contextmanager
def placed(sweep: str, cores: int, wanted: int | None = None) -> Iterator[Place]:
    """Take cores of this machine, and write a note about this driver, until the context closes.

    Drivers that start at the same moment do this one after the other, so that each sees the notes
    of those before it.

    Args:
        sweep: the name of the sweep that this driver runs.
        cores: how many cores all drivers have together.
        wanted: how many cores this driver takes in any case. None for as many as the others leave,
            but at least one.

    Raises:
        RayError: if the folder for notes cannot be used.
    """
    with _alone() as folder:
        others = tuple(found for _, found in _notes(folder, alive=True))
        left = max(1, cores - sum(other.cores for other in others))
        taken = left if wanted is None else wanted
        place = Place(taken, folder / f"ray-{os.getpid()}", others)
        note = folder / f"{os.getpid()}.json"
        file = note.open("w")
        # The operating system releases the lock when this process ends, in whatever way. So other
        # drivers can see from the lock whether this one is alive.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(asdict(Neighbour(os.getpid(), sweep, taken, str(place.ray_folder)))))
        file.flush()
    try:
        yield place
    finally:
        shutil.rmtree(place.ray_folder, ignore_errors=True)
        note.unlink(missing_ok=True)
        file.close()
        with suppress(OSError):  # it is not empty as long as other drivers run
            folder.rmdir()


def clear_leftovers() -> int:
    """End the Ray processes of drivers that have died, and remove their folders and notes.

    Returns:
        The number of drivers that had left something.

    Raises:
        RayError: if the folder for notes cannot be used.
    """
    with _alone() as folder:
        dead = list(_notes(folder, alive=False))
        for note, found in dead:
            # A damaged note could name any folder. Only one with our name beside the note is
            # removed.
            left = Path(found.ray_folder)
            if left.parent == folder and left.name.startswith("ray-"):
                _end_processes(left)
                shutil.rmtree(left, ignore_errors=True)
            note.unlink(missing_ok=True)
        return len(dead)


@contextmanager
def _alone() -> Iterator[Path]:
    """The folder for notes, locked so that other drivers wait until the context closes."""
    while True:
        folder = private_folder()
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            # While we waited for the lock, the last driver may have removed the folder and another
            # one may have made it anew. Then our lock is on a folder that nobody else uses, and we
            # try again.
            if folder.exists() and os.path.samestat(os.fstat(held), folder.stat()):
                yield folder
                return
        finally:
            os.close(held)


def _notes(folder: Path, *, alive: bool) -> Iterator[tuple[Path, Neighbour]]:
    """The notes of drivers that are alive, or of those that have died."""
    for note in sorted(folder.glob("*.json")):
        # A driver that ends now removes its note, and a file that is no note is passed over.
        with suppress(OSError, ValueError, TypeError), note.open() as file:
            if _is_held(file.fileno()) == alive:
                yield note, Neighbour(**json.loads(file.read()))


def _is_held(file: int) -> bool:
    """Whether a driver holds the lock on its note, and therefore is alive.

    A process id does not tell, because another process can have the same id later.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _end_processes(ray_folder: Path) -> None:
    """Kill this user's processes that have a Ray folder in their arguments, each by its id.

    By themselves Ray's processes would notice within a minute that their driver has died, and would
    write to its folder until then.
    """
    for process in psutil.process_iter():
        # A process may end while we look at it, and we may not look at those of other users.
        with suppress(psutil.Error):
            told = any(f"{ray_folder}/" in argument for argument in process.cmdline())
            if told and process.uids().real == os.getuid():
                process.kill()
