"""What older versions kept under other ids.

Up to version f0fdd86 early stopping was a part of a trial's identity. Such a trial lies under the
digest of its configuration with ``early_stopping`` in it; its id is the digest without. What lies
there is read, and stays where it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from qhn.core.errors import InvalidValueError
from qhn.sweeps.config.trial import digest
from qhn.sweeps.store.backend import Backend
from qhn.sweeps.store.formats import FORMAT, check_format, parse_object

MARKER = "store.json"
_CONFIG = re.compile(r"([0-9a-f]{16})/config\.json")
_TRIAL_FILE = re.compile(r"[0-9a-f]{16}/")


@dataclass(frozen=True)
class FormerTrial:
    """A trial that an older version kept under an id that this version does not give it.

    Attributes:
        former_id: under which it lies.
        trial_id: which it has.
        rule: digest of the rule by which it was stopped early.
    """

    former_id: str
    trial_id: str
    rule: str


class StoreFormat:
    """Tells whether this version made the store; if not, finds trials under their former ids.

    Such a store says so in a marker; in any other, all configurations are looked through, once,
    when it is first asked for a trial.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._marked = False
        self._former: list[FormerTrial] | None = None
        self._ids: dict[str, list[str]] = {}

    def check(self) -> bool:
        """Whether the store is marked.

        Raises:
            NewerFormatError: if a newer version made it.
            StoreError: if it cannot be read.
        """
        content = self._backend.get_many([MARKER]).get(MARKER)
        if isinstance(content, bytes):
            try:
                found = parse_object(content).get("format")
                check_format(found, f"the store {self._backend.shown}")
            except InvalidValueError:
                # To look through a store that needs none costs a moment, to refuse it a sweep.
                return False
            return True
        return False

    def mark(self) -> None:
        """Mark a store in which no trial is yet; called before whatever is written first.

        Raises:
            StoreError: if it cannot be written.
        """
        if self._marked:
            return
        if not self.check() and not any(map(_TRIAL_FILE.match, self._backend.list())):
            text = json.dumps({"format": FORMAT})
            self._backend.put(MARKER, text.encode())
        self._marked = True

    def former(self) -> list[FormerTrial]:
        """All trials that lie under former ids."""
        if self._former is None:
            self._former = [] if self.check() else list(self._scan())
            for trial in self._former:
                self._ids.setdefault(trial.trial_id, []).append(trial.former_id)
        return self._former

    def ids(self, trial_id: str) -> list[str]:
        """The trial's id, then those that it had formerly and under which something lies."""
        self.former()
        return [trial_id, *self._ids.get(trial_id, ())]

    def _scan(self) -> Iterator[FormerTrial]:
        keys = [key for key in self._backend.list() if _CONFIG.fullmatch(key)]
        for key, content in self._backend.get_many(keys).items():
            if isinstance(content, bytes) and b"early_stopping" in content:
                former = _read(key.partition("/")[0], content)
                if former is not None:
                    yield former


def _read(folder: str, content: bytes) -> FormerTrial | None:
    try:
        config = parse_object(content)
        rule = config.get("early_stopping")
        # What has not the id that its folder says is damaged, and nobody's former trial.
        if digest(config) != folder or not isinstance(rule, dict):
            return None
        del config["early_stopping"]
        return FormerTrial(folder, digest(config), digest(rule))
    except ValueError:
        return None
