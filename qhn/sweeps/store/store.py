"""The store: one folder per trial, named by the digest of its configuration, and one per sweep.

::

    <store>/<trial id>/config.json       what the trial is
                       checkpoint.npz    parameters, optimiser, step, history so far
                       result.json       once it is over
                       error.json        if it failed
                       lock              held for moments, while one of the above is replaced
    <store>/sweeps/<name>/sweep.yaml     the file as it was last run
                          lock, progress.json, logs/
    <store>/mlflow.db, <store>/artifacts the default tracking store
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from qhn.core.errors import NotFoundError, StoreError
from qhn.sweeps.store.atomic import remove_leftovers, write_atomically
from qhn.sweeps.store.lock import SweepLock, alone
from qhn.sweeps.store.results import TrialError, TrialResult

_TRIAL_ID = re.compile(r"[0-9a-f]{16}")


def open_store(uri: str) -> Store:
    """The store at a path or a ``file://`` address; it is made by the first write.

    Raises:
        StoreError: if the address is of another kind, or names a file.
    """
    if not uri.strip():
        raise StoreError(f"a store must be named, but got {uri!r}; leave it out for the default")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise StoreError(f"a store must be a folder or a file:// address, but: {error}") from None
    if len(parts.scheme) > 1 and parts.scheme != "file":
        raise StoreError(
            f"a store must be a folder or a file:// address, but got {uri!r}; "
            "use a folder that all machines of the sweep can reach"
        )
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri)
    try:
        path = path.expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise StoreError(f"a store must be a folder, but {path} is a file; name another path")
    except (OSError, RuntimeError) as error:
        raise StoreError(
            f"a store must be a folder that can be opened, but {path} is not: {error}"
        ) from None
    return Store(path)


class SweepFolder:
    """What the store keeps about one sweep: its file, its lock, its logs, who runs now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.lock = SweepLock(path / "lock")

    @property
    def file(self) -> Path:
        """The sweep file as it was last run."""
        return self.path / "sweep.yaml"

    def save_file(self, text: str) -> None:
        """Keep the sweep file, for resume, status and extension."""
        write_atomically(self.file, text.encode())

    def read_file(self) -> str:
        """Text of the sweep file as it was last run.

        Raises:
            NotFoundError: if no such sweep was ever run.
        """
        try:
            return self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotFoundError(
                f"no sweep named {self.name!r} is in the store {self.path.parents[1]}"
                f"{self._did_you_mean()}; `qhn sweep list` shows those that are "
                "(another store: --store)"
            ) from None
        except (OSError, ValueError) as error:
            raise StoreError(f"the sweep file {self.file} cannot be read: {error}") from None

    def _did_you_mean(self) -> str:
        names = [file.parent.name for file in self.path.parent.glob("*/sweep.yaml")]
        by_lower = {name.lower(): name for name in names}
        near = get_close_matches(self.name.lower(), by_lower, n=1)
        return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""

    def new_log(self) -> Path:
        """Path for the log of a run that begins now."""
        return self.path / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"

    def save_progress(self, running: Iterable[str]) -> None:
        """Note which trials run now; it counts only while the lock is held."""
        write_atomically(self.path / "progress.json", json.dumps(sorted(running)).encode())

    def running(self) -> list[str]:
        """Trials that run now: none where no driver holds the lock."""
        if self.lock.holder() is None:
            return []
        try:
            return [str(trial) for trial in json.loads((self.path / "progress.json").read_text())]
        except (OSError, ValueError, TypeError):
            return []


class Store:
    """Trials and sweeps in one folder; every write is atomic."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def uri(self) -> str:
        """The address that `open_store` takes, in other processes as well."""
        return self.root.as_uri()

    def sweep(self, name: str) -> SweepFolder:
        """The folder of a sweep, whether it was run or not.

        Raises:
            NotFoundError: if it is not a name: no file outside the store must be taken for one.
        """
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise NotFoundError(
                f"a sweep's name must have no path in it, but got {name!r}; "
                "`qhn sweep list` shows the names, and a file is run with `qhn sweep run FILE`"
            )
        return SweepFolder(self.root / "sweeps" / name)

    def sweeps(self) -> list[SweepFolder]:
        """All sweeps that were ever run, by name."""
        files = sorted((self.root / "sweeps").glob("*/sweep.yaml"))
        return [SweepFolder(file.parent) for file in files]

    def _file(self, trial_id: str, name: str) -> Path:
        if not _TRIAL_ID.fullmatch(trial_id):
            raise StoreError(f"a trial id must be 16 hexadecimal digits, but got {trial_id!r}")
        return self.root / trial_id / name

    def _read(self, trial_id: str, name: str) -> bytes | None:
        path = self._file(trial_id, name)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"the store must be readable, but reading {path} failed: {error}"
            ) from error

    def save_config(self, trial_id: str, text: str) -> None:
        """Write what the trial is, once."""
        if not self._file(trial_id, "config.json").exists():
            write_atomically(self._file(trial_id, "config.json"), text.encode())

    def config(self, trial_id: str) -> str:
        """The trial's configuration as canonical JSON.

        Raises:
            NotFoundError: if the store has no such trial.
        """
        content = self._read(trial_id, "config.json")
        if content is None:
            raise NotFoundError(f"no trial {trial_id!r} is in the store {self.root}")
        return content.decode()

    def save_checkpoint(self, trial_id: str, state: Mapping[str, NDArray[Any]]) -> None:
        """Replace the trial's checkpoint by arrays (no pickle), unless it is further on.

        Two sweeps may have the same trial, and a process whose driver was killed may live on for
        a while. They come to the same numbers, but not at the same time.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **state)
        with alone(self._file(trial_id, "lock")):
            if _step(self.checkpoint(trial_id)) <= _step(state):
                write_atomically(self._file(trial_id, "checkpoint.npz"), buffer.getvalue())

    def checkpoint(self, trial_id: str) -> dict[str, NDArray[Any]] | None:
        """The trial's last checkpoint; None if there is none or it cannot be read.

        An unreadable one is set aside, and the trial starts again: the same numbers come out.
        """
        content = self._read(trial_id, "checkpoint.npz")
        if content is None:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return dict(arrays)
        except Exception:  # noqa: BLE001 - damage comes out in many ways
            self.set_checkpoint_aside(trial_id)
            return None

    def set_checkpoint_aside(self, trial_id: str) -> None:
        """Keep a checkpoint that cannot be used out of the way, for whoever wants to look."""
        path = self._file(trial_id, "checkpoint.npz")
        path.replace(path.with_suffix(".unreadable"))

    def save_result(self, result: TrialResult) -> None:
        """Write the end of a trial, once, and clear what its earlier attempts left."""
        path = self._file(result.trial_id, "result.json")
        with alone(self._file(result.trial_id, "lock")):
            if not path.exists():
                write_atomically(path, result.to_json().encode())
        self._file(result.trial_id, "error.json").unlink(missing_ok=True)
        remove_leftovers(path.parent)

    def result(self, trial_id: str) -> TrialResult | None:
        """The end of a trial, or None while it has none."""
        content = self._read(trial_id, "result.json")
        try:
            return (
                None if content is None else TrialResult.from_json(content.decode(errors="replace"))
            )
        except StoreError as error:
            path = self._file(trial_id, "result.json")
            raise StoreError(f"{error}; delete {path} to train the trial again") from error

    def save_error(self, trial_id: str, error: TrialError) -> None:
        """Write why a trial failed."""
        write_atomically(self._file(trial_id, "error.json"), error.to_json().encode())

    def error(self, trial_id: str) -> TrialError | None:
        """Why the trial failed, or None."""
        content = self._read(trial_id, "error.json")
        return None if content is None else TrialError.from_json(content.decode(errors="replace"))

    def clear_error(self, trial_id: str) -> None:
        """Forget a failure, so that the trial is run again."""
        self._file(trial_id, "error.json").unlink(missing_ok=True)

    def finished(self, trial_ids: Iterable[str]) -> set[str]:
        """Those of the trials that are over."""
        return {trial for trial in trial_ids if self._file(trial, "result.json").exists()}

    def failed(self, trial_ids: Iterable[str]) -> set[str]:
        """Those of the trials that failed and were not finished since."""
        return {
            trial
            for trial in trial_ids
            if self._file(trial, "error.json").exists()
            and not self._file(trial, "result.json").exists()
        }


def _step(state: Mapping[str, NDArray[Any]] | None) -> int:
    """How far a checkpoint is; -1 for none, and for one that does not say."""
    step = None if state is None else state.get("step")
    return -1 if step is None or step.shape != () else int(step)
