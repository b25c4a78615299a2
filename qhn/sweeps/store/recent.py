"""Contents that this process has read or written last, with the tags that they had then.

They are never believed without a question: a content counts only where a new listing shows the same
tag, or a write with this tag as its condition succeeds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

_MOST_BYTES = 32 * 2**20
_LONGEST = 2 * 2**20


class Recent:
    """Keeps contents, up to 32 MiB in all, and the newest of them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._bytes = 0
        self._changing = threading.Lock()

    def get(self, key: str) -> tuple[str, bytes] | None:
        """The tag and the content that a key had; None if they are not kept."""
        return self._kept.get(key)

    def keep(self, key: str, tag: str, content: bytes) -> None:
        """Keep a content in place of that of before."""
        with self._changing:
            self._drop(key)
            if len(content) <= _LONGEST:
                self._kept[key] = (tag, content)
                self._bytes += len(content)
            while self._bytes > _MOST_BYTES:
                self._drop(next(iter(self._kept)))

    def drop(self, key: str) -> None:
        """Forget the content of a key."""
        with self._changing:
            self._drop(key)

    def _drop(self, key: str) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= len(kept[1])
