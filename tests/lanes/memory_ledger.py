"""A ledger in memory, and a place of it that several brokers can share."""

from __future__ import annotations

from dataclasses import dataclass, field

from qhn.core.errors import FencedError
from qhn.lanes.ledger import Record, check_follows


@dataclass
class Place:
    """What outlives a broker."""

    claim: int = 0
    records: dict[str, Record] = field(default_factory=dict)


class MemoryLedger:
    """See `qhn.lanes.ledger.Ledger`."""

    def __init__(self, place: Place | None = None) -> None:
        self._place = Place() if place is None else place
        self._claim: int | None = None

    def claim(self) -> int:
        self._place.claim += 1
        self._claim = self._place.claim
        return self._claim

    def append(self, record: Record) -> None:
        if self._claim is None or self._claim != self._place.claim:
            raise FencedError("only the broker that claimed a lane's ledger last may write to it")
        check_follows(self._place.records.get(record.submission), record)
        self._place.records[record.submission] = record

    def read(self) -> list[Record]:
        return [record for _, record in sorted(self._place.records.items())]
