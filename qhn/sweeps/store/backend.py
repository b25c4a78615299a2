"""The interface below the store: contents that have keys, and locks between processes.

A key is text such as ``0123456789abcdef/result.json``: names of folders and a name, separated by
``/``. `FolderBackend` keeps contents as files, `ObjectBackend` as objects of an object store, and
`MemoryBackend` in this process. One class of contract tests checks all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from qhn.core.errors import DamagedError, StoreError

#: The name of the lock of a folder. No key may end in this name.
LOCK = "lock"
#: The ending of temporary files, to which contents are written first. No key may end like this.
TEMPORARY = ".tmp"


class Lock(Protocol):
    """A lock that at most one of all processes that use the store can hold at a time.

    It is released when the process that holds it ends, even if that process is killed. In a store
    of objects it is a lease: if nothing is known of the process, it is released after a term, and
    so the holder can lose it while it lives. From then on it cannot write below the lock's folder.
    """

    def acquire(self, patience_s: float | None = None, note: str = "") -> bool:
        """Take the lock.

        Args:
            patience_s: how many seconds to wait for another holder; None means as long as it takes.
            note: words that say who takes it, for `holder`.

        Returns:
            True if the lock is held now; False if another holder kept it.

        Raises:
            StoreError: if the lock cannot be taken in this place at all.
        """

    def release(self) -> None:
        """Release the lock."""

    def lost_to(self) -> str | None:
        """Who has taken the lock from its holder here, as far as is known; None if nobody has.

        This looks at nothing outside the process.
        """

    def holder(self) -> str | None:
        """The note of the present holder, or None if nobody has the lock. This changes nothing.

        Raises:
            StoreError: if it cannot be found out.
        """


class Backend(Protocol):
    """The place that keeps the contents of a store.

    Raises:
        StoreError: from every method, if the place cannot be used, or if a key is not valid.
        FencedError: from every method that writes, if the key lies below a folder whose lock this
            process has taken, and another process has taken that lock from it.
    """

    @property
    def uri(self) -> str:
        """The address of this place. `open_store` takes it, in other processes as well."""

    @property
    def shown(self) -> str:
        """The address in the form in which people write it."""

    def get(self, key: str) -> bytes | None:
        """The content of a key, or None if there is none.

        Raises:
            DamagedError: if something is there that cannot be read. The key of the error may be
                that of a folder above, if something else is in the place of that folder.
        """

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes | DamagedError]:
        """The contents of all keys that have one. For a damaged one, the error is its value.

        The effort grows with the contents that are there, and hardly with the keys.
        """

    def put(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """Write a content as a whole: a reader finds the old or the new one, and never a part.

        Args:
            key: the key of the content.
            content: the new content.
            durable: whether this must hold even after a power cut, and not only after a kill.
        """

    def put_if_newer(
        self, key: str, content: bytes, rank: int, rank_of: Callable[[bytes], int]
    ) -> bool:
        """Write a content unless the one that is there has a higher rank.

        No other writer can come between the look at the old content and the write. If ``rank_of``
        raises an error, it is passed on, and nothing is written.

        Args:
            key: the key of the content.
            content: the new content.
            rank: the rank of the new content.
            rank_of: a function that gives the rank of the old content.

        Returns:
            Whether the content was written.
        """

    def move(self, key: str, target: str) -> None:
        """Give a content a new key, whether it can be read or not. Do nothing if it is gone."""

    def delete(self, key: str) -> None:
        """Remove a content. Do nothing if there is none."""

    def list(self, prefix: str = "") -> list[str]:
        """All keys that begin with this text, sorted."""

    def folders(self, folder: str = "") -> tuple[str, ...]:
        """Names of the folders that lie directly in a folder, or at the top (empty), sorted.

        A folder may outlive its last content.
        """

    def size(self, *folders: str) -> int:
        """The bytes that folders take with all that is in them; 0 where there are none.

        A place with a disk counts whole blocks of it, as ``du`` does, and what is no content, such
        as a log, as well.
        """

    def remove(self, *folders: str) -> None:
        """Delete folders with all that is in them, readable or not; nothing where they are gone.

        A kill can leave a part of them, and the next call deletes the rest.

        Raises:
            StoreError: if one is the top, which holds what is not the caller's.
        """

    def lock(self, folder: str) -> Lock:
        """The lock of a folder; empty text means the top.

        `put_if_newer` may take the lock of the folder of its key.
        """


def check_key(key: str) -> None:
    """Refuse text that is not a valid key, so that no key can name a file outside the store.

    Raises:
        StoreError: if a part between ``/`` is empty, ``.`` or ``..``, if a character cannot be
            encoded, or if the name is that of a lock or of a temporary file.
    """
    parts = key.split("/")
    if not all(map(is_name, parts)) or parts[-1] == LOCK or parts[-1].endswith(TEMPORARY):
        raise StoreError(
            "a key must be names with / between them, none of them empty, '.' or '..', and must "
            f"not end in {LOCK!r} or {TEMPORARY!r}, but got {key!r}"
        )


def check_prefix(prefix: str) -> None:
    """Refuse text with which no valid key can begin; see `check_key`.

    Raises:
        StoreError: if a part before the last ``/`` is not a valid name.
    """
    if folder := folder_of(prefix):
        check_key(f"{folder}/x")


def check_folder(folder: str) -> None:
    """Refuse text that names no folder below the top; see `check_key`.

    Raises:
        StoreError: if it is empty, or a part of it is no name.
    """
    check_key(f"{folder}/x")


def is_name(text: str) -> bool:
    """Whether a text can be one part of a key."""
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        return False
    # Python represents bytes of file names that are not UTF-8 by surrogates, which cannot be
    # encoded.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def folder_of(key: str) -> str:
    """The folder of a key; empty text for a key at the top."""
    return key.rpartition("/")[0]


@contextmanager
def held(lock: Lock) -> Iterator[None]:
    """Hold a lock during a ``with`` statement, and wait for it as long as it takes."""
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def put_unless_outranked(
    backend: Backend, key: str, content: bytes, rank: int, rank_of: Callable[[bytes], int]
) -> bool:
    """`Backend.put_if_newer` for backends whose locks keep out every other writer."""
    check_key(key)
    with held(backend.lock(folder_of(key))):
        there = backend.get(key)
        if there is not None and rank_of(there) > rank:
            return False
        backend.put(key, content)
        return True
