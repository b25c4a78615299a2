"""What a store has for a queue, in memory, with a ledger that can fail."""

from __future__ import annotations

from dataclasses import dataclass, field

from memory_ledger import MemoryLedger
from memory_ledger import Place as Records

from qhn.core.errors import StoreError


@dataclass
class Shelf:
    """A store's part for the queue, whose ledger can fail before or after it has written."""

    records: Records = field(default_factory=Records)
    fails: str | None = None
    occupied: bool = False

    def place(self):
        return ShelfPlace(self)


class ShelfPlace:
    def __init__(self, shelf):
        self._shelf = shelf
        self._inner = MemoryLedger(shelf.records)
        self.ledger = self

    def occupy(self):
        if self._shelf.occupied:
            raise StoreError("another broker is there")
        self._shelf.occupied = True

    def leave(self):
        self._shelf.occupied = False

    def claim(self):
        return self._inner.claim()

    def read(self):
        return self._inner.read()

    def append(self, record):
        fails, self._shelf.fails = self._shelf.fails, None
        if fails == "before":
            raise StoreError("no space is left")
        self._inner.append(record)
        if fails == "after":
            raise StoreError("the disk was lost while it was written")
