"""The jobs of a queue as the ledger in a store has them, for tables and summaries."""

from __future__ import annotations

from collections.abc import Iterable

from qhn.lanes import Record, Share, Usage
from qhn.lanes.amounts import total
from qhn.lanes.desk import account, sweep_of
from qhn.sweeps.store import Store
from qhn.sweeps.store.lane_place import known_store_id
from qhn.sweeps.store.ledger import StoredLedger


def jobs_of(store: Store, queue: str) -> list[Record]:
    """All jobs of a queue that this store knows, those that were submitted first come first.

    Raises:
        StoreError: if the ledger cannot be read.
    """
    records = StoredLedger(store.backend, queue).read()
    return sorted(records, key=lambda record: (record.stamps[:1] or (record.at,), record.token))


def shares_of(store: Store, sweep: str, records: Iterable[Record]) -> list[Share]:
    """The steps of a sweep in some jobs. Two stores may have sweeps of one name and share jobs."""
    mine = _account(store, sweep)
    return [share for record in records for share in record.members if share.sweep == mine]


def with_steps_of(store: Store, sweep: str, records: Iterable[Record]) -> list[Record]:
    """Those of some jobs that have a step of a sweep, however many of its steps they have."""
    mine = _account(store, sweep)
    return [record for record in records if any(share.sweep == mine for share in record.members)]


def _account(store: Store, sweep: str) -> str | None:
    """The name of a sweep in ledgers; None if no job of this store can be in any."""
    store_id = known_store_id(store.backend)
    return None if store_id is None else account(sweep, store_id)


def spent_by(shares: Iterable[Share]) -> Usage:
    """What some steps have used, with what is reserved for those whose jobs have not ended."""
    return total(share.wanted if share.used is None else share.used for share in shares)


def spent_by_trial(shares: Iterable[Share]) -> dict[str, Usage]:
    """What the trials of some steps have used, by trial id, without what is only reserved."""
    spent: dict[str, Usage] = {}
    for share in shares:
        if share.used is not None:
            spent[share.trial] = spent.get(share.trial, Usage()) + share.used
    return spent


def sweeps_in(record: Record) -> list[str]:
    """The names of the sweeps whose steps are in a job, each once."""
    return sorted({sweep_of(share.sweep) for share in record.members})


def queues(store: Store) -> list[str]:
    """The names of all queues for which a store has a ledger, sorted.

    Raises:
        StoreError: if the store cannot be used.
    """
    return list(store.backend.folders("lanes"))
