"""The ledgers of one queue, one in each store whose sweeps use it, kept as if they were one."""

from __future__ import annotations

from collections.abc import Iterable

from qhn.core.errors import StoreError
from qhn.lanes.desk import OpenPlace, Over, Place
from qhn.lanes.ledger import ENDS, Outcome, Record


class Archive:
    """Writes each record to the ledgers of all stores that have a step in the job.

    Args:
        queue: the name of the queue.
        open_place: opens the part of a store that belongs to the queue.
    """

    def __init__(self, queue: str, open_place: OpenPlace) -> None:
        self._queue = queue
        self._open = open_place
        self._places: dict[str, Place] = {}
        # In which store each step is written down that somebody has asked for, and in which stores
        # each record is already. A record says nothing of stores.
        self._stores: dict[str, str] = {}
        self._homes: dict[str, set[str]] = {}
        self._open_records: dict[str, Record] = {}
        self._ends: dict[str, Over] = {}

    def __contains__(self, store: str) -> bool:
        return store in self._places

    def enter(self, store: str) -> None:
        """Occupy the queue's place in a store. `load` must follow before anything is written.

        Raises:
            StoreError: if another process has it, or if the store cannot be used.
        """
        place = self._open(store, self._queue)
        place.occupy()
        self._places[store] = place

    def leave(self, stores: Iterable[str] | None = None) -> None:
        """Give the places in these stores back; all of them by default."""
        for store in list(self._places) if stores is None else list(stores):
            self._places.pop(store).leave()

    @property
    def stores(self) -> set[str]:
        """The addresses of the stores."""
        return set(self._places)

    def load(self) -> tuple[int, list[Record]]:
        """Claim all ledgers, and read them.

        Returns:
            The greatest claim, and the latest record of each job.

        Raises:
            StoreError: if a ledger cannot be used.
        """
        claim = max((place.ledger.claim() for place in self._places.values()), default=1)
        read = {store: place.ledger.read() for store, place in self._places.items()}
        newest: dict[str, Record] = {}
        for records in read.values():
            for record in records:
                there = newest.get(record.submission)
                if there is None or _rank(there) < _rank(record):
                    newest[record.submission] = record
        self._homes, self._open_records, self._ends = {}, {}, {}
        for store, records in read.items():
            for record in records:
                latest = newest[record.submission]
                if not latest.is_over:
                    self._homes.setdefault(record.submission, set()).add(store)
                if record != latest and not record.is_over:
                    # A broker died between the writes to two ledgers.
                    self._places[store].ledger.append(latest)
        for record in newest.values():
            self._index(record)
        return claim, list(newest.values())

    def belongs(self, submission: str, store: str) -> None:
        """Note in which store a step is written down."""
        self._stores[submission] = store

    def write(self, record: Record) -> None:
        """Write a record.

        Raises:
            FencedError: if another broker has claimed a ledger.
            StoreError: if a ledger cannot be written. Some may have the record then. Also if no
                ledger is there for it: nobody may submit a job that is written down nowhere.
        """
        asked = {self._stores[s.submission] for s in record.members if s.submission in self._stores}
        homes = self._homes.setdefault(record.submission, set())
        homes |= asked
        there = sorted(homes & self._places.keys())
        if not there:
            raise StoreError(
                f"a job must be written down in a store, but {record.submission} of the queue "
                f"{self._queue} has none that is open; run its sweep again"
            )
        for store in there:
            self._places[store].ledger.append(record)
        self._index(record)

    def record_of(self, submission: str) -> Record | None:
        """The record of a job that has not ended, by its own submission id."""
        return self._open_records.get(submission)

    def end_of(self, submission: str) -> Over | None:
        """How the job with a step ended; None if there was none, or if it has not ended."""
        return self._ends.get(submission)

    def retain(self, submissions: set[str]) -> None:
        """Forget where steps belong that nobody waits for and no job has."""
        for submission in self._stores.keys() - submissions:
            del self._stores[submission]

    def _index(self, record: Record) -> None:
        if record.state not in ENDS:
            self._open_records[record.submission] = record
            return
        self._open_records.pop(record.submission, None)
        self._homes.pop(record.submission, None)
        outcome: Outcome = record.state  # type: ignore[assignment]
        for place, share in enumerate(record.members):
            assert share.used is not None
            self._ends[share.submission] = Over(
                outcome=outcome,
                job_id=record.job_id,
                place=place,
                used=share.used,
                steps=len(record.members),
                why=record.why,
            )


def _rank(record: Record) -> tuple[bool, bool, int, float]:
    return record.is_over, record.job_id is not None, record.token, record.at
