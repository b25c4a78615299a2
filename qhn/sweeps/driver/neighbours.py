"""The sweeps that run on this machine: who takes which cores, and what a dead one left behind.

Each driver keeps a small file about itself in a folder that only its user can read, and holds a
lock on that file for as long as it lives. Two things follow from these files. A sweep that starts
beside another one takes the cores that the other one leaves. And what a driver that was killed
could not clean up, its Ray's folder, is cleared at the next start: ours alone, recognised by this
file, never that of a Ray that somebody else runs.
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

# Ray makes Unix sockets below its folder, and their paths may have at most 107 characters.
_LONGEST_FOLDER = 40


@dataclass(frozen=True)
class Neighbour:
    """A driver on this machine.

    Attributes:
        process: its process id.
        sweep: the name of the sweep that it runs.
        cores: how many trials it runs at once, each on a core of its own.
        ray_folder: where its Ray keeps logs and sockets.
    """

    process: int
    sweep: str
    cores: int
    ray_folder: str


@dataclass(frozen=True)
class Place:
    """What a driver has of the machine while it runs.

    Attributes:
        cores: for its trials.
        ray_folder: for its Ray; removed with all that is in it when the driver ends.
        others: the drivers that were there before it.
    """

    cores: int
    ray_folder: Path
    others: tuple[Neighbour, ...]


def private_folder() -> Path:
    """The folder of this user's drivers; it is made when it is missing, for this user alone.

    Raises:
        RayError: if somebody else has put something in its place, or it cannot be made.
    """
    base = Path(tempfile.gettempdir())
    if len(str(base)) > _LONGEST_FOLDER:
        base = Path("/tmp")
    folder = base / f"qhn-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Everybody may write in the folder above it, so that it may be anybody's by now.
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
    """Take a place among the drivers of this machine until the context closes.

    Drivers that start at the same moment take their places one after the other, so that each
    knows of those before it.

    Args:
        sweep: the name of the sweep that this driver runs.
        cores: how many there are for all drivers together.
        wanted: how many this driver takes in any case; None for those that others leave, and one
            at least.

    Raises:
        RayError: if there is no place for such notes.
    """
    with _alone() as folder:
        others = tuple(found for _, found in _notes(folder, alive=True))
        left = max(1, cores - sum(other.cores for other in others))
        taken = left if wanted is None else wanted
        place = Place(taken, folder / f"ray-{os.getpid()}", others)
        note = folder / f"{os.getpid()}.json"
        file = note.open("w")
        # Held until this process ends, however it ends: that is how others know.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(asdict(Neighbour(os.getpid(), sweep, taken, str(place.ray_folder)))))
        file.flush()
    try:
        yield place
    finally:
        shutil.rmtree(place.ray_folder, ignore_errors=True)
        note.unlink(missing_ok=True)
        file.close()
        with suppress(OSError):  # others are still in it
            folder.rmdir()


def clear_leftovers() -> int:
    """End the Ray processes of drivers that have died, and remove their folders and notes.

    Returns:
        How many drivers had left something.

    Raises:
        RayError: if there is no place for such notes.
    """
    with _alone() as folder:
        dead = list(_notes(folder, alive=False))
        for note, found in dead:
            # A note is a file, and may say anything: nothing but a Ray folder of ours is touched.
            left = Path(found.ray_folder)
            if left.parent == folder and left.name.startswith("ray-"):
                _end_processes(left)
                shutil.rmtree(left, ignore_errors=True)
            note.unlink(missing_ok=True)
        return len(dead)


@contextmanager
def _alone() -> Iterator[Path]:
    """The folder of the drivers, with every other one held back for a moment."""
    while True:
        folder = private_folder()
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            # The last driver that was in the folder may have removed it meanwhile.
            if folder.exists() and os.path.samestat(os.fstat(held), folder.stat()):
                yield folder
                return
        finally:
            os.close(held)


def _notes(folder: Path, *, alive: bool) -> Iterator[tuple[Path, Neighbour]]:
    """The notes of drivers that are alive, or of those that have died."""
    for note in sorted(folder.glob("*.json")):
        # A driver that ends at this moment takes its note away; and what is no note is no driver.
        with suppress(OSError, ValueError, TypeError), note.open() as file:
            if _is_held(file.fileno()) == alive:
                yield note, Neighbour(**json.loads(file.read()))


def _is_held(file: int) -> bool:
    """Whether a driver holds the lock on its note: neither a process id nor a clock would tell."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _end_processes(ray_folder: Path) -> None:
    """End this user's processes that were told to work in a Ray folder, each by its own id.

    Ray's own would notice within a minute that their driver is gone, and write into its folder
    until then.
    """
    for process in psutil.process_iter():
        # Processes come and go while they are looked at, and those of others are not ours to see.
        with suppress(psutil.Error):
            told = any(f"{ray_folder}/" in argument for argument in process.cmdline())
            if told and process.uids().real == os.getuid():
                process.kill()
