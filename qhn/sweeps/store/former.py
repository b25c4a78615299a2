"""Trials that older versions stored under other ids.

Up to version f0fdd86, early stopping was a part of a trial's configuration. A trial of a sweep with
early stopping was stored under the digest of its configuration with ``early_stopping``, its former
id. Its present id is the digest without it. Files under a former id are read, and never moved.
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
    """A trial that an older version stored under a former id.

    Attributes:
        former_id: the id under which its files lie.
        trial_id: its present id.
        rule: the digest of the rule of early stopping in its sweep.
    """

    former_id: str
    trial_id: str
    rule: str


class StoreFormat:
    """Knows whether a store can have trials under former ids, and finds them.

    A store that this version made has a marker, and has no such trials. In any other store all
    configurations are read, once, when a trial is first asked for.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._marked = False
        # The marker stays for ever, so it is not looked for again.
        self._has_marker = False
        self._former: list[FormerTrial] | None = None
        self._ids: dict[str, list[str]] = {}

    def check(self) -> bool:
        """Whether the store has the marker.

        Raises:
            NewerFormatError: if a newer version made it.
            StoreError: if it cannot be read.
        """
        if self._has_marker:
            return True
        content = self._backend.get_many([MARKER]).get(MARKER)
        if isinstance(content, bytes):
            try:
                found = parse_object(content).get("format")
                check_format(found, f"the store {self._backend.shown}")
            except InvalidValueError:
                # A damaged marker counts as none. Looking through the store then costs a moment;
                # refusing the store would cost the sweep.
                return False
            self._has_marker = True
        return self._has_marker

    def mark(self) -> None:
        """Write the marker if the store has no trials yet. Every write calls this first.

        Raises:
            StoreError: if the store cannot be written.
        """
        if self._marked:
            return
        if not self.check() and not any(map(_TRIAL_FILE.match, self._backend.list())):
            text = json.dumps({"format": FORMAT})
            self._backend.put(MARKER, text.encode())
        self._marked = True

    def former(self) -> list[FormerTrial]:
        """All trials of the store that have files under former ids."""
        if self._former is None:
            self._former = [] if self.check() else list(self._scan())
            for trial in self._former:
                self._ids.setdefault(trial.trial_id, []).append(trial.former_id)
        return self._former

    def ids(self, trial_id: str) -> list[str]:
        """The trial's present id, followed by its former ids for which the store has files."""
        self.former()
        return [trial_id, *self._ids.get(trial_id, ())]

    def _scan(self) -> Iterator[FormerTrial]:
        keys = [key for key in self._backend.list() if _CONFIG.fullmatch(key)]
        for key, content in self._backend.get_many(keys).items():
            # The search for a text is much faster than reading all configurations as JSON.
            if isinstance(content, bytes) and b"early_stopping" in content:
                former = _read(key.partition("/")[0], content)
                if former is not None:
                    yield former


def _read(folder: str, content: bytes) -> FormerTrial | None:
    try:
        config = parse_object(content)
        rule = config.get("early_stopping")
        # A configuration whose digest is not the name of its folder is damaged. It cannot be
        # assigned to a trial.
        if digest(config) != folder or not isinstance(rule, dict):
            return None
        del config["early_stopping"]
        return FormerTrial(folder, digest(config), digest(rule))
    except ValueError:
        return None
