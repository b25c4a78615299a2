"""The interface below a store of objects: contents with tags, and writes with conditions.

An object store has neither folders nor locks. What it has is a tag for each content, which changes
with each change of it, and writes that happen only if the tag is still the expected one, in one
step (compare and swap). All that a store needs of order between processes is made from that; see
`qhn.sweeps.store.object_store` and `qhn.sweeps.store.lease`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Found:
    """A content as it was read.

    Attributes:
        content: the content.
        tag: its tag; S3 calls it ETag.
        age_s: seconds since it was written, by the clock of the server alone.
    """

    content: bytes
    tag: str
    age_s: float


@dataclass(frozen=True)
class Item:
    """A content as a listing shows it: its key, its size in bytes, and its tag."""

    key: str
    size: int
    tag: str


class Objects(Protocol):
    """Contents by key. Whatever one process has written, every process finds from then on.

    Failures that pass are tried again inside, for some seconds. A write whose answer was lost may
    have happened, so that after a condition that does not hold one has to read again.

    Raises:
        StoreError: from every method, if the place cannot be used.
    """

    def read(self, key: str) -> Found | None:
        """The content of a key, or None if there is none."""

    def read_many(self, keys: Sequence[str]) -> dict[str, Found]:
        """The contents of those keys that have one, several at a time."""

    def write(self, key: str, content: bytes) -> str:
        """Write a content, whatever is there, and return its tag."""

    def write_if(self, key: str, content: bytes, tag: str | None) -> str | None:
        """Write a content if the one that is there has this tag; None: if there is none.

        Returns:
            The new tag; None if the condition did not hold, or may not have held.
        """

    def check_conditions(self, key: str) -> None:
        """Make sure that the server looks at conditions, once in each process.

        Args:
            key: the key with which it is tried. What is there stays.

        Raises:
            StoreError: if a write happens although its condition does not hold.
        """

    def items(self, prefix: str) -> list[Item]:
        """All contents whose keys begin with a text, in the order of their keys."""

    def folders(self, prefix: str) -> list[str]:
        """What stands before the next ``/`` in keys that begin with a text, each once."""

    def move(self, key: str, target: str) -> None:
        """Give a content another key. What somebody puts in its old place meanwhile stays there."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove contents. Keys without a content are passed over."""
