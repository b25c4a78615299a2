"""The sweeps that run on this machine: who takes which cores, and what a dead one left behind.

Each driver keeps a small file about itself in a folder that only its user can read. Two things
follow from these files. A sweep that starts beside another one takes the cores that the other
one leaves. And what a driver that was killed could not clean up, its Ray's folder, is cleared at
the next start: ours alone, recognised by this file, never that of a Ray that somebody else runs.
"""

from __future__ import annotations

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
        born: when that process began (seconds since 1970): ids are used again, this pair is not.
        sweep: the name of the sweep that it runs.
        slots: how many trials it runs at once, each on a core of its own.
        ray_folder: where its Ray keeps logs and sockets.
    """

    process: int
    born: float
    sweep: str
    slots: int
    ray_folder: str

    @property
    def is_alive(self) -> bool:
        """Whether the process is still there."""
        try:
            return abs(psutil.Process(self.process).create_time() - self.born) < 1.0
        except psutil.Error:
            return False


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


def neighbours() -> list[Neighbour]:
    """The other drivers of this user that run on this machine now."""
    return [found for _, found in _notes() if found.is_alive and found.process != os.getpid()]


def clear_leftovers() -> int:
    """End the Ray processes of drivers that have died, and remove their folders and notes.

    Returns:
        How many drivers had left something.
    """
    dead = [(note, found) for note, found in _notes() if not found.is_alive]
    for note, found in dead:
        # A note is a file, and may say anything: nothing but a Ray folder of ours is touched.
        folder = Path(found.ray_folder)
        if folder.parent == note.parent and folder.name.startswith("ray-"):
            _end_processes(folder)
            shutil.rmtree(folder, ignore_errors=True)
        note.unlink(missing_ok=True)
    return len(dead)


@contextmanager
def noted(sweep: str, slots: int) -> Iterator[Path]:
    """Tell other drivers of this one until the context closes.

    Yields:
        The folder for this driver's Ray. It is removed when the context closes.
    """
    born = psutil.Process().create_time()
    while True:
        folder = private_folder()
        ray_folder = folder / f"ray-{os.getpid()}"
        me = Neighbour(os.getpid(), born, sweep, slots, str(ray_folder))
        note = folder / f"{os.getpid()}.json"
        # The last driver that was in the folder may have removed it just now.
        with suppress(FileNotFoundError):
            note.write_text(json.dumps(asdict(me)))
            break
    try:
        yield ray_folder
    finally:
        shutil.rmtree(ray_folder, ignore_errors=True)
        note.unlink(missing_ok=True)
        with suppress(OSError):  # others are still in it
            folder.rmdir()


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


def _notes() -> Iterator[tuple[Path, Neighbour]]:
    for note in sorted(private_folder().glob("*.json")):
        # A driver that ends at this moment takes its note away.
        with suppress(OSError, ValueError, TypeError):
            yield note, Neighbour(**json.loads(note.read_text()))
