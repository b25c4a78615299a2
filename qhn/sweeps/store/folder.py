"""A store in a folder, which may be local or shared between machines: one file for each key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from qhn.core.errors import DamagedError, StoreError
from qhn.sweeps.store.atomic import remove_leftovers, write_atomically
from qhn.sweeps.store.backend import (
    LOCK,
    TEMPORARY,
    check_folder,
    check_key,
    check_prefix,
    folder_of,
    is_name,
    put_unless_outranked,
)
from qhn.sweeps.store.disk_use import disk_use
from qhn.sweeps.store.folder_lock import FolderLock

_WAY_OUT = "free space, mend the permissions or choose another folder with --store"


class FolderBackend:
    """Contents as files in one folder, which is made by the first write.

    If this class makes the folder, only its user can read it, and the same holds for every file in
    it. If the folder was there before, it keeps its permissions, and new files get the default ones
    of the process.

    Locks are those of the operating system (``flock``). Machines that share the folder must use a
    file system on which these work, such as NFS 4.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def uri(self) -> str:
        """The ``file://`` address of the folder."""
        return self.root.as_uri()

    @property
    def shown(self) -> str:
        """The folder's path."""
        return str(self.root)

    def get(self, key: str) -> bytes | None:
        """See `Backend.get`."""
        path = self._path(key)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise DamagedError(key, "a folder is in its place") from None
        except PermissionError as error:
            # Only this file is called damaged, so that the rest of the store can be used. If the
            # whole folder is the problem, setting the file aside fails and says so.
            raise DamagedError(key, f"reading it failed ({error.strerror})") from None
        except OSError as error:
            # The reason may be a file in the place of a folder above. That is damage of this one
            # file, and not a failure of the store.
            for folder in path.relative_to(self.root).parents[:-1]:
                if _is_file(self.root / folder):
                    why = "it is a file in the place of a folder"
                    raise DamagedError(folder.as_posix(), why) from None
            raise StoreError(
                f"the store must be readable, but reading {path} failed: {error.strerror or error}"
            ) from error

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes | DamagedError]:
        """See `Backend.get_many`."""
        found: dict[str, bytes | DamagedError] = {}
        for key in keys:
            try:
                content = self.get(key)
            except DamagedError as error:
                found[key] = error
            else:
                if content is not None:
                    found[key] = content
        return found

    def put(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """See `Backend.put`."""
        path = self._path(key)
        with self._writing(path):
            self.make(path.parent)
            write_atomically(path, content, 0o600 if self._private() else 0o666, durable=durable)
            if durable:
                remove_leftovers(path.parent)

    def put_if_newer(
        self, key: str, content: bytes, rank: int, rank_of: Callable[[bytes], int]
    ) -> bool:
        """See `Backend.put_if_newer`."""
        return put_unless_outranked(self, key, content, rank, rank_of)

    def move(self, key: str, target: str) -> None:
        """See `Backend.move`."""
        path, place = self._path(key), self._path(target)
        with self._writing(path):
            if os.path.lexists(path):
                self.make(place.parent)
                with suppress(FileNotFoundError):
                    path.rename(place)

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        path = self._path(key)
        with self._writing(path):
            path.unlink(missing_ok=True)

    def list(self, prefix: str = "") -> list[str]:
        """See `Backend.list`."""
        check_prefix(prefix)
        folder = folder_of(prefix)
        place = self.root / folder
        keys = self._found(place, _walk(place, f"{folder}/" if folder else "", set()))
        return sorted(key for key in keys if key.startswith(prefix))

    def folders(self, folder: str = "") -> tuple[str, ...]:
        """See `Backend.folders`."""
        check_prefix(f"{folder}/" if folder else "")
        place = self.root / folder
        return tuple(sorted(self._found(place, _folders(place))))

    def size(self, *folders: str) -> int:
        """See `Backend.size`."""
        for folder in folders:
            check_folder(folder)
        return sum(disk_use(self.root / folder) for folder in folders)

    def remove(self, *folders: str) -> None:
        """See `Backend.remove`; of a link, what it leads to stays."""
        for folder in folders:
            check_folder(folder)
        for path in (self.root / folder for folder in folders):
            with self._writing(path):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def lock(self, folder: str) -> FolderLock:
        """See `Backend.lock`."""
        check_prefix(f"{folder}/" if folder else "")
        return FolderLock(self.root / folder / LOCK, self._make_for_lock)

    def make(self, folder: Path) -> None:
        """Make a folder of the store, or the folder of the store itself, if it is missing.

        Raises:
            OSError: if it cannot be made.
        """
        if folder.is_dir():
            return
        if not self.root.is_dir():
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.mkdir(mode=0o700, exist_ok=True)
        mode = 0o700 if self._private() else 0o777
        # Not `mkdir(parents=True)`, which would ignore the mode for all folders above the last one.
        for parent in [*reversed(folder.relative_to(self.root).parents), folder]:
            (self.root / parent).mkdir(mode=mode, exist_ok=True)

    def _make_for_lock(self, folder: Path) -> int | None:
        self.make(folder)
        return 0o600 if self._private() else None

    def _private(self) -> bool:
        """Whether only the user can read the folder. New files get the same permissions."""
        return self.root.stat().st_mode & 0o077 == 0

    def _path(self, key: str) -> Path:
        check_key(key)
        return self.root / key

    def _found(self, folder: Path, names: Iterator[str]) -> tuple[str, ...]:
        """All the names that looking into a folder gives; none where there is no such folder."""
        try:
            return tuple(names)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise StoreError(
                f"the store must be readable, but listing {folder} failed: "
                f"{error.strerror or error}"
            ) from error

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except IsADirectoryError:
            raise DamagedError(
                path.relative_to(self.root).as_posix(), "a folder is in its place"
            ) from None
        except OSError as error:
            raise StoreError(
                f"the store must be writable, but writing {path} failed: "
                f"{error.strerror or error}; {_WAY_OUT}"
            ) from error


def _walk(folder: Path, prefix: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """The keys of all files below a folder. Links to folders are followed."""
    # A link may lead back to a folder above. Each folder is visited once, by its number.
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in os.scandir(folder):
        if not is_name(entry.name):
            continue
        if entry.is_dir():
            try:
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", seen)
            except (FileNotFoundError, PermissionError):
                # The folder was removed meanwhile, or is not readable for us, such as lost+found at
                # the top of a disk.
                continue
        elif entry.name != LOCK and not entry.name.endswith(TEMPORARY):
            yield prefix + entry.name


def _folders(folder: Path) -> Iterator[str]:
    """Names of the folders in a folder, of those that lie elsewhere and are linked here as well."""
    for entry in os.scandir(folder):
        if is_name(entry.name) and entry.is_dir():
            yield entry.name


def _is_file(path: Path) -> bool:
    """Whether a file exists. False if this cannot be found out, as for a name that is too long."""
    try:
        return path.is_file()
    except OSError:
        return False
