"""The seam below the store: named pieces of content, written whole, and locks between processes.

A key is text such as ``0123456789abcdef/result.json``: folders and a name, with ``/`` between them.
`FolderBackend` keeps them as files, `MemoryBackend` in this process; one contract test class runs
over both, and another backend (an object store) has to pass it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from qhn.core.errors import DamagedError, StoreError

#: The name of a folder's lock, which no key may have.
LOCK = "lock"
#: How names of content that is being written end, which no key may do.
TEMPORARY = ".tmp"


class Lock(Protocol):
    """One lock, which at most one holder has, among all processes that use the store.

    It dies with the process that holds it, however that process ends.
    """

    def acquire(self, patience_s: float | None = None, note: str = "") -> bool:
        """Take the lock; True if this holder has it now, False if another one kept it.

        Args:
            patience_s: how long to wait for another holder; None for as long as it takes.
            note: who takes it, in words, for `holder`.

        Raises:
            StoreError: if the store cannot lock.
        """

    def release(self) -> None:
        """Let go of it."""

    def holder(self) -> str | None:
        """The holder's note, or None where nobody has the lock; looking changes nothing.

        Raises:
            StoreError: if it cannot be known.
        """


class Backend(Protocol):
    """Where the store's content lies.

    Raises:
        StoreError: from every method, if the place cannot be used, or a key is no key.
    """

    @property
    def uri(self) -> str:
        """The address that `open_store` takes, in other processes as well."""

    @property
    def shown(self) -> str:
        """The address as people write it."""

    def get(self, key: str) -> bytes | None:
        """The content, or None where there is none.

        Raises:
            DamagedError: if there is something that cannot be read; its key may be that of a
                folder above, in whose place there is something else.
        """

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes | DamagedError]:
        """The contents of those keys that have one; a damaged one hides no other."""

    def put(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """Write a content whole: a reader finds the old one or the new one, never a part.

        Args:
            key: its name.
            content: what to write.
            durable: whether it must survive a power cut that comes right afterwards.
        """

    def put_if_newer(
        self, key: str, content: bytes, rank: int, rank_of: Callable[[bytes], int]
    ) -> bool:
        """Write a content unless the one that is there has a higher rank; whether it was written.

        No other writer comes between looking and writing. An error of ``rank_of`` is passed on,
        and nothing is written.
        """

    def move(self, key: str, target: str) -> None:
        """Give what is at a key, readable or not, the name ``target``; nothing where it is gone."""

    def delete(self, key: str) -> None:
        """Remove a content, whether it is there or not."""

    def list(self, prefix: str = "") -> list[str]:
        """All keys that begin with this text, sorted."""

    def lock(self, folder: str) -> Lock:
        """The lock of a folder, or of the top (empty); `put_if_newer` takes its key's folder's."""


def check_key(key: str) -> None:
    """Refuse text that is no key, so that no key ever names a file outside the store.

    Raises:
        StoreError: if a part between ``/`` is empty, ``.`` or ``..``, if a letter cannot be
            written, or if the name is that of a lock or of a temporary file.
    """
    parts = key.split("/")
    if not all(map(is_name, parts)) or parts[-1] == LOCK or parts[-1].endswith(TEMPORARY):
        raise StoreError(
            "a key must be names with / between them, none of them empty, '.' or '..', and must "
            f"not end in {LOCK!r} or {TEMPORARY!r}, but got {key!r}"
        )


def check_prefix(prefix: str) -> None:
    """Refuse text that no key can begin with; see `check_key`.

    Raises:
        StoreError: if a part before the last ``/`` is no name.
    """
    if folder := folder_of(prefix):
        check_key(f"{folder}/x")


def is_name(text: str) -> bool:
    """Whether this text can be one part of a key."""
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def folder_of(key: str) -> str:
    """The folder that a key lies in; empty at the top."""
    return key.rpartition("/")[0]


@contextmanager
def held(lock: Lock) -> Iterator[None]:
    """Hold every other process back for a moment."""
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def put_unless_outranked(
    backend: Backend, key: str, content: bytes, rank: int, rank_of: Callable[[bytes], int]
) -> bool:
    """`Backend.put_if_newer` for a place whose locks hold back every other writer."""
    check_key(key)
    with held(backend.lock(folder_of(key))):
        there = backend.get(key)
        if there is not None and rank_of(there) > rank:
            return False
        backend.put(key, content)
        return True
