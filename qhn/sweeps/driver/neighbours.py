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
    """The folder of this user's drivers; it is made when it is missing, for this user alone."""
    base = Path(tempfile.gettempdir())
    if len(str(base)) > _LONGEST_FOLDER:
        base = Path("/tmp")
    folder = base / f"qhn-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        # Somebody else has put it there, in a place where everybody may write.
        return Path(tempfile.mkdtemp(prefix="qhn-"))
    folder.chmod(0o700)
    return folder


def neighbours() -> list[Neighbour]:
    """The other drivers of this user that run on this machine now."""
    return [found for _, found in _notes() if found.is_alive and found.process != os.getpid()]


def clear_leftovers() -> int:
    """Remove the Ray folders of drivers that have died, and their notes.

    Returns:
        How many drivers had left something.
    """
    dead = [(note, found) for note, found in _notes() if not found.is_alive]
    for note, found in dead:
        _remove_ray_folder(found.ray_folder)
        note.unlink(missing_ok=True)
    return len(dead)


@contextmanager
def noted(sweep: str, slots: int) -> Iterator[Path]:
    """Tell other drivers of this one until the context closes.

    Yields:
        The folder for this driver's Ray. It is removed when the context closes.
    """
    folder = private_folder()
    ray_folder = folder / f"ray-{os.getpid()}"
    born = psutil.Process().create_time()
    me = Neighbour(os.getpid(), born, sweep, slots, str(ray_folder))
    note = folder / f"{os.getpid()}.json"
    note.write_text(json.dumps(asdict(me)))
    try:
        yield ray_folder
    finally:
        _remove_ray_folder(me.ray_folder)
        note.unlink(missing_ok=True)


def _notes() -> Iterator[tuple[Path, Neighbour]]:
    for note in sorted(private_folder().glob("*.json")):
        # A driver that ends at this moment takes its note away.
        with suppress(OSError, ValueError, TypeError):
            yield note, Neighbour(**json.loads(note.read_text()))


def _remove_ray_folder(name: str) -> None:
    """Remove a Ray folder, if it is one of ours: a note is a file, and may say anything."""
    folder = Path(name)
    if folder.parent == private_folder() and folder.name.startswith("ray-"):
        shutil.rmtree(folder, ignore_errors=True)
