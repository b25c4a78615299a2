"""What a store has for the queues of devices: an id of its own, ledgers, and who may write them.

::

    lanes/store.json             the id of the store, which is a part of every submission id
          <queue>/broker/lock    locked by the broker of the queue as long as it lives
          <queue>/...            the ledger; see `qhn.sweeps.store.ledger`
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket

from qhn.core.errors import DamagedError, InvalidValueError, StoreError
from qhn.sweeps.store.backend import Backend
from qhn.sweeps.store.formats import FORMAT, check_format, fingerprint, parse_object
from qhn.sweeps.store.ledger import StoredLedger
from qhn.sweeps.store.opening import open_store

_ID_KEY = "lanes/store.json"
_ID = re.compile(r"[0-9a-z]{1,16}")
# The lock of a broker that was killed is released within moments. A lease is waited for longer, if
# nobody renews it.
_PATIENCE_S = 5.0


class StoredPlace:
    """A store's part for one queue; see `qhn.lanes.desk.Place`.

    Args:
        backend: the place of the store.
        queue: the name of the queue.

    Raises:
        StoreError: if the name cannot be that of a folder.
    """

    def __init__(self, backend: Backend, queue: str) -> None:
        self.ledger = StoredLedger(backend, queue)
        self._lock = backend.lock(f"lanes/{queue}/broker")
        self._queue = queue
        self._shown = backend.shown

    def occupy(self) -> None:
        """See `Place.occupy`."""
        note = f"process {os.getpid()} on {socket.gethostname()}"
        if not self._lock.acquire(_PATIENCE_S, note):
            raise StoreError(
                f"one broker at a time may serve the queue {self._queue!r}, but that of another "
                f"Ray ({self._lock.holder() or 'another process'}) does so with the store "
                f"{self._shown}; run this sweep on that Ray with --address, or wait for it to end"
            )

    def leave(self) -> None:
        """See `Place.leave`."""
        self._lock.release()

    def holder(self) -> str | None:
        """The process of the broker that serves the queue now, in words, or None."""
        return self._lock.holder()


def open_place(store: str, queue: str) -> StoredPlace:
    """A store's part for one queue, given the store's address. Brokers are handed this function."""
    return StoredPlace(open_store(store).backend, queue)


def known_store_id(backend: Backend) -> str | None:
    """The id of a store, without making one if it has none.

    Raises:
        DamagedError: if the id cannot be read.
        StoreError: if the store cannot be used.
    """
    content = backend.get(_ID_KEY)
    return None if content is None else _parse_id(content)


def store_id(backend: Backend) -> str:
    """The id of a store, by which providers' jobs are told from those of other stores.

    It is made when it is asked for first. It must not depend on where the store is: a store that
    was moved has to find its jobs again, and two stores at the same path of two machines must not
    take each other's jobs for their own.

    Raises:
        DamagedError: if the id cannot be read. A new one would let jobs be paid for twice.
        StoreError: if the store cannot be used.
    """
    content = backend.get(_ID_KEY)
    while content is None:
        # It decides nothing that is computed, so it need not come from a seed. Of two processes at
        # once, the first one makes it: whatever is there has a higher rank.
        made = json.dumps({"format": FORMAT, "id": secrets.token_hex(4)})
        backend.put_if_newer(_ID_KEY, made.encode(), 0, lambda there: 1)
        content = backend.get(_ID_KEY)
    return _parse_id(content)


def _parse_id(content: bytes) -> str:
    try:
        fields = parse_object(content)
        check_format(fields.get("format"), _ID_KEY)
        found = fields.get("id")
        if not isinstance(found, str) or not _ID.fullmatch(found):
            raise InvalidValueError(
                f"its id must be 1 to 16 small letters and digits, but it is {found!r}"
            )
    except InvalidValueError as error:
        raise DamagedError(_ID_KEY, str(error), fingerprint(content)) from None
    return found
