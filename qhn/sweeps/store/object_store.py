"""A store in an object store, such as one that speaks the protocol of S3: one object for each key.

There are no folders there, and no locks. A folder is what keys have in common, and in place of
locks there are leases (`qhn.sweeps.store.lease`), each in an object named ``lock``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath

from qhn.core.errors import DamagedError, StoreError
from qhn.sweeps.store.backend import (
    LOCK,
    TEMPORARY,
    check_folder,
    check_key,
    check_prefix,
    is_name,
)
from qhn.sweeps.store.lease import TERM_S, Lease
from qhn.sweeps.store.objects import Item, Objects
from qhn.sweeps.store.recent import Recent

# Up to so many contents are asked for one by one. For more, it is listed first what is there.
_FEW = 24
# So many contents are deleted between two looks at the leases that fence them.
_REMOVED_AT_ONCE = 1000
# How often a write is tried whose place others have written meanwhile.
_TRIES = 200


class ObjectBackend:
    """Contents as objects.

    Args:
        objects: the place of the objects.
        uri: the address of the store.
        term_s: seconds after which a lease is over that was not renewed.
    """

    def __init__(self, objects: Objects, uri: str, term_s: float = TERM_S) -> None:
        self.uri = uri
        self.shown = uri
        self._objects = objects
        self._term_s = term_s
        self._recent = Recent()
        self._leases: dict[str, Lease] = {}

    def __reduce__(self) -> tuple[type[ObjectBackend], tuple[Objects, str, float]]:
        """Only the place is pickled, as by Tune with its record of a run: no lease goes along."""
        return ObjectBackend, (self._objects, self.uri, self._term_s)

    def get(self, key: str) -> bytes | None:
        """See `Backend.get`."""
        check_key(key)
        found = self._objects.read(key)
        if found is None:
            return None
        self._recent.keep(key, found.tag, found.content)
        return found.content

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes | DamagedError]:
        """See `Backend.get_many`."""
        wanted: Sequence[str] = tuple(dict.fromkeys(keys))
        for key in wanted:
            check_key(key)
        contents: dict[str, bytes] = {}
        if len(wanted) > _FEW:
            wanted, contents = self._looked_up(wanted)
        for key, found in self._objects.read_many(wanted).items():
            self._recent.keep(key, found.tag, found.content)
            contents[key] = found.content
        return contents

    def _looked_up(self, keys: Sequence[str]) -> tuple[Sequence[str], dict[str, bytes]]:
        """The keys whose contents must be fetched, and the contents that need not be."""
        asked = set(keys)
        fetch = []
        known: dict[str, bytes] = {}
        # Of their texts, and not of their folders: a listing begins with any text.
        common = os.path.commonprefix(keys)  # noqa: RUF071
        for item in self._objects.items(common):
            if item.key in asked:
                kept = self._recent.get(item.key)
                if kept is not None and kept[0] == item.tag:
                    known[item.key] = kept[1]
                else:
                    fetch.append(item.key)
        return fetch, known

    def put(self, key: str, content: bytes, *, durable: bool = True) -> None:
        """See `Backend.put`. What was written is always durable."""
        check_key(key)
        with self._fenced(key):
            self._recent.keep(key, self._objects.write(key, content), content)

    def put_if_newer(
        self, key: str, content: bytes, rank: int, rank_of: Callable[[bytes], int]
    ) -> bool:
        """See `Backend.put_if_newer`. No lock is taken: of two writers at once one tries again.

        Where nobody else has written the content meanwhile, this takes one request.
        """
        check_key(key)
        with self._fenced(key):
            new: str | None = None
            kept = self._recent.get(key)
            if kept is None:
                new = self._objects.write_if(key, content, None)
            elif _may_follow(kept[1], rank, rank_of):
                new = self._objects.write_if(key, content, kept[0])
            for _ in range(_TRIES):
                if new is not None:
                    self._recent.keep(key, new, content)
                    return True
                found = self._objects.read(key)
                if found is not None and rank_of(found.content) > rank:
                    return False
                new = self._objects.write_if(key, content, None if found is None else found.tag)
            raise StoreError(
                f"of several writers of {key} one must come through each time, but this one did "
                f"not in {_TRIES} attempts; see whether the server answers conditional writes "
                "with the tags that it gives, and run this again"
            )

    def move(self, key: str, target: str) -> None:
        """See `Backend.move`."""
        check_key(key)
        check_key(target)
        if key != target:
            with self._fenced(key), self._fenced(target):
                self._objects.move(key, target)
                self._recent.drop(key)
                self._recent.drop(target)

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        check_key(key)
        with self._fenced(key):
            self._objects.delete([key])
            self._recent.drop(key)

    def list(self, prefix: str = "") -> list[str]:
        """See `Backend.list`."""
        check_prefix(prefix)
        return sorted(item.key for item in self._objects.items(prefix) if _is_content(item.key))

    def folders(self, folder: str = "") -> tuple[str, ...]:
        """See `Backend.folders`."""
        prefix = f"{folder}/" if folder else ""
        check_prefix(prefix)
        return tuple(sorted(filter(is_name, self._objects.folders(prefix))))

    def size(self, *folders: str) -> int:
        """See `Backend.size`. It is the sum of the contents: what is paid for."""
        return sum(item.size for item in self._items_in(folders))

    def _items_in(self, folders: Sequence[str]) -> Sequence[Item]:
        for folder in folders:
            check_folder(folder)
        if len(folders) <= _FEW:
            return [item for folder in folders for item in self._objects.items(f"{folder}/")]
        wanted = set(folders)
        return [
            item
            for item in self._objects.items("")
            if not wanted.isdisjoint(map(str, PurePosixPath(item.key).parents))
        ]

    def remove(self, *folders: str) -> None:
        """See `Backend.remove`. Locks go last, since the caller may hold one of them."""
        left = [item.key for item in self._items_in(folders)]
        left.sort(key=lambda key: key.rpartition("/")[2] == LOCK)
        while left:
            some, left = left[:_REMOVED_AT_ONCE], left[_REMOVED_AT_ONCE:]
            with self._fenced(*some):
                self._objects.delete(some)
                for key in some:
                    self._recent.drop(key)

    def lock(self, folder: str) -> Lease:
        """See `Backend.lock`."""
        check_prefix(f"{folder}/" if folder else "")
        key = f"{folder}/{LOCK}" if folder else LOCK
        lease = Lease(self._objects, key, f"{self.shown}/{key}", self._term_s)
        return self._leases.setdefault(folder, lease)

    @contextmanager
    def _fenced(self, *keys: str) -> Iterator[None]:
        """Keep a process from writing below the folder of a lease that it has lost.

        After the write it is looked again: the process may have been paused just before it. A write
        that was late is then not reported as done. So whoever took the lease meanwhile, and reads
        what is there, either sees this write, or this process knows that it must not count.
        """
        above = [
            lease
            for folder, lease in list(self._leases.items())
            if not folder or any(key.startswith(f"{folder}/") for key in keys)
        ]
        for lease in above:
            lease.check()
        yield
        for lease in above:
            lease.check()


def _may_follow(there: bytes, rank: int, rank_of: Callable[[bytes], int]) -> bool:
    """Whether a content may take the place of the one that was there when we last looked."""
    try:
        return rank_of(there) <= rank
    except Exception:  # noqa: BLE001 - It may be gone by now, so the caller has to look.
        return False


def _is_content(key: str) -> bool:
    parts = key.split("/")
    return all(map(is_name, parts)) and parts[-1] != LOCK and not parts[-1].endswith(TEMPORARY)
