"""The ledger of a lane in the store: one file for each job, each replaced atomically.

::

    lanes/<name>/writer.json             which claim may write
                 jobs/<xy>/<id>.json     the record of the job with this submission id; xy is the
                                         beginning of the id's digest, since a write looks through
                                         its whole folder
"""

from __future__ import annotations

import dataclasses
import json
from hashlib import sha256
from typing import Any

from qhn.core.errors import DamagedError, FencedError, InvalidValueError, StoreError
from qhn.lanes.amounts import Usage
from qhn.lanes.ledger import Record, Share, check_follows
from qhn.sweeps.store.backend import Backend, check_folder, held
from qhn.sweeps.store.formats import FORMAT, check_format, fingerprint, parse_object


class StoredLedger:
    """The ledger of one lane; see `qhn.lanes.ledger.Ledger`.

    Args:
        backend: the place of the store.
        lane: the name of the lane.

    Raises:
        StoreError: if the name cannot be that of a folder.
    """

    def __init__(self, backend: Backend, lane: str) -> None:
        if "/" in lane:
            raise StoreError(f"a lane's name must have no path in it, but got {lane!r}")
        self._backend = backend
        self._folder = f"lanes/{lane}"
        check_folder(self._folder)
        self._writer = f"{self._folder}/writer.json"
        self._claim: int | None = None

    def claim(self) -> int:
        """See `Ledger.claim`."""
        with held(self._backend.lock(self._folder)):
            claim = self._last_claim() + 1
            content = json.dumps({"format": FORMAT, "claim": claim})
            self._backend.put(self._writer, content.encode())
        self._claim = claim
        return claim

    def append(self, record: Record) -> None:
        """See `Ledger.append`."""
        name = f"{record.submission}.json"
        key = f"{self._folder}/jobs/{sha256(name.encode()).hexdigest()[:2]}/{name}"
        # Under the lock nobody can claim the ledger between the look at the claim and the write.
        with held(self._backend.lock(self._folder)):
            last = self._last_claim()
            if self._claim is None or self._claim != last:
                raise FencedError(
                    "only the broker that claimed a lane's ledger last may write to it, but "
                    f"{self._folder} has claim {last} and this one has {self._claim}; "
                    "ask the broker that runs now"
                )

            def follows(there: bytes) -> int:
                check_follows(_parse(key, there), record)
                return 0

            # In a store of objects the lock is a lease, which a broker that was paused has lost
            # without knowing it. What the next broker has written meanwhile is looked at here.
            self._backend.put_if_newer(key, _dump(record), 0, follows)

    def read(self) -> list[Record]:
        """See `Ledger.read`."""
        records = []
        found = self._backend.get_many(self._backend.list(f"{self._folder}/jobs/"))
        for key in sorted(found, key=lambda key: key.rpartition("/")[2]):
            content = found[key]
            if isinstance(content, DamagedError):
                raise content
            records.append(_parse(key, content))
        return records

    def _last_claim(self) -> int:
        content = self._backend.get(self._writer)
        if content is None:
            return 0
        try:
            fields = parse_object(content)
            check_format(fields.get("format"), self._writer)
            claim = fields.get("claim")
            if type(claim) is not int or claim < 1:
                raise InvalidValueError(f"its claim must be a whole number, but it is {claim!r}")
        except InvalidValueError as error:
            raise DamagedError(self._writer, str(error), fingerprint(content)) from None
        return claim


def _dump(record: Record) -> bytes:
    fields = {"format": FORMAT, **dataclasses.asdict(record)}
    return json.dumps(fields, indent=1, allow_nan=False).encode()


def _parse(key: str, content: bytes) -> Record:
    try:
        fields: dict[str, Any] = parse_object(content)
        check_format(fields.pop("format", None), key)
        members = tuple(_share(share) for share in fields.pop("members"))
        # JSON has no tuples, and a record is compared with others as a whole.
        stamps = tuple(float(stamp) for stamp in fields.pop("stamps"))
        record = Record(**fields, members=members, stamps=stamps)
        if key.rpartition("/")[2] != f"{record.submission}.json":
            raise InvalidValueError(f"it is the record of another job, {record.submission!r}")
    except (InvalidValueError, TypeError, KeyError, AttributeError, ValueError) as error:
        why = f"it is no record of a job ({type(error).__name__}: {error})"
        raise DamagedError(key, why, fingerprint(content)) from None
    return record


def _share(fields: dict[str, Any]) -> Share:
    wanted, used = fields.pop("wanted"), fields.pop("used")
    return Share(**fields, wanted=Usage(**wanted), used=None if used is None else Usage(**used))
