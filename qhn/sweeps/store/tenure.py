"""What stands in the object of a lease: who holds it, since which take, and for how long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from qhn.core.errors import InvalidValueError, StoreError
from qhn.sweeps.store.formats import FORMAT, check_format, parse_object
from qhn.sweeps.store.process_name import is_known_alive

#: Seconds by which a lease must be older than its term before another process takes it. A server
#: gives times in whole seconds, and one that consists of several machines has several clocks.
DOUBT_S = 3.0


@dataclass(frozen=True)
class Tenure:
    """The time for which one process holds a lease.

    Attributes:
        token: the fencing token. It grows by one with each process that takes the lease.
        by: a random text that no other tenure has; None once the lease was given back.
        term_s: seconds for which it holds after each renewal.
        note: words that say who holds it.
        process: the name of the process, see `process_name`; None where there are no such names.
        renewals: how often it was renewed.
    """

    token: int
    by: str | None
    term_s: float
    note: str = ""
    process: str | None = None
    renewals: int = 0

    def is_over(self, age_s: float) -> bool:
        """Whether another process may take the lease.

        Args:
            age_s: seconds since the last renewal, by the clock of the server.
        """
        if self.by is None or age_s >= self.term_s + DOUBT_S:
            return True
        # Whoever was killed on this machine need not be waited for.
        return is_known_alive(self.process) is False

    def to_bytes(self) -> bytes:
        """The tenure as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}).encode()


def read_tenure(content: bytes, where: str) -> Tenure:
    """Read what `Tenure.to_bytes` has written.

    Args:
        content: the content of the object.
        where: its address, for messages.

    Raises:
        StoreError: if it is something else.
        NewerFormatError: if a newer version wrote it.
    """
    try:
        fields: dict[str, Any] = parse_object(content)
        check_format(fields.pop("format", None), where)
        tenure = Tenure(**fields)
        if type(tenure.token) is not int or type(tenure.term_s) not in (int, float):
            raise InvalidValueError("its token and its term are no numbers")
    except (InvalidValueError, TypeError) as error:
        raise StoreError(
            f"the object {where} must be a lease that qhn wrote, but it is none ({error}); if "
            "nothing uses the store now, delete this object"
        ) from None
    return tenure
