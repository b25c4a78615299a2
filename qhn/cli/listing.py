"""``qhn sweep list`` and ``status``: the sweeps of a store, their progress, and their disk use."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from qhn.cli.logs import log_files
from qhn.cli.progress import standing
from qhn.cli.tables import Column, print_columns, print_words
from qhn.cli.words import counted
from qhn.core.errors import QhnError, TrackingError
from qhn.sweeps.planning.machine import size_text
from qhn.sweeps.planning.plan import Plan
from qhn.sweeps.results.outcomes import as_counted
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.spec import InvalidSpecError
from qhn.sweeps.store import Store
from qhn.sweeps.store.removal import folders_of
from qhn.sweeps.tracking import TrackingLocation, tracking_location
from qhn.sweeps.tracking.disk_use import sweep_bytes


@dataclass(frozen=True)
class Counts:
    """How many trials of a sweep are planned, finished, failed and running."""

    planned: int
    finished: int
    failed: int
    running: int


@dataclass
class _Sweep:
    """One line of the list. If the file of the sweep cannot be read, ``error`` says why."""

    name: str
    counts: Counts | None = None
    error: str | None = None
    last_run: datetime | None = None
    bytes: int = 0
    trials: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The line for programs. Times are in local time, with the offset from UTC."""
        known = {"error": self.error} if self.counts is None else asdict(self.counts)
        return {
            "name": self.name,
            **known,
            "bytes": self.bytes,
            "last_run": None
            if self.last_run is None
            else self.last_run.isoformat(timespec="seconds"),
        }


def print_status(store: Store, name: str, as_json: bool) -> None:
    """Print the progress of a sweep.

    Raises:
        NotFoundError: if no such sweep was ever run.
        StoreError: if the store cannot be read.
    """
    counts = asdict(count(store, stored_plan(store.sweep(name))))
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        # While Ray starts no trial runs yet, and the sweep would look as if it was abandoned.
        driver = store.sweep(name).lock.holder()
        running = f" It is run by {escape(driver)}." if driver else ""
        console = Console(soft_wrap=True, highlight=False)
        console.print(f"{escape(name)}: {standing(**counts)}.{running}")


def print_list(store: Store, as_json: bool) -> None:
    """Print all sweeps of a store.

    Raises:
        StoreError: if the store cannot be read.
    """
    location = None
    with suppress(TrackingError):  # a tracking URI that is no address has no artifacts here
        location = tracking_location(store)
    sweeps = [_sweep(store, kept.name, location) for kept in store.sweeps()]
    if as_json:
        typer.echo(json.dumps([sweep.as_json() for sweep in sweeps]))
        return
    console = Console(highlight=False)
    if not sweeps:
        root = escape(store.shown)
        console.print(f"no sweeps in {root} yet; start with: qhn sweep run FILE", soft_wrap=True)
        return
    titles = ("planned", "finished", "failed", "running")
    columns = [Column("sweep", [sweep.name for sweep in sweeps], is_text=True)]
    for title in titles:
        cells = ["?" if s.counts is None else str(getattr(s.counts, title)) for s in sweeps]
        columns.append(Column(title, cells))
    columns.append(Column("on disk", [size_text(sweep.bytes) for sweep in sweeps]))
    last = ["" if s.last_run is None else f"{s.last_run:%Y-%m-%d %H:%M}" for s in sweeps]
    columns.append(Column("last ran", last, "last ran"))
    print_columns(console, columns)
    shared = sum(n > 1 for n in Counter(trial for s in sweeps for trial in s.trials).values())
    if shared:
        verb = "counts" if shared == 1 else "count"
        print_words(
            console, f"{counted(shared, 'trial')} of several sweeps {verb} on disk in each of them."
        )
    for sweep in sweeps:
        if sweep.error is not None:
            console.print(Text(f"{sweep.name}: {sweep.error}", "red"), soft_wrap=True)


def count(store: Store, plan: Plan) -> Counts:
    """How many trials of a sweep have ended, and how many run now."""
    ids = [trial.trial_id for trial in plan.trials]
    # The store is read only once, because with thousands of trials that takes most of the time.
    found = store.outcomes(ids)
    finished = as_counted(plan, store, found.results).keys()
    failed = found.errors.keys() - finished
    running = set(store.sweep(plan.name).running()) - finished - failed
    return Counts(len(ids), len(finished), len(failed), len(running))


def _sweep(store: Store, name: str, location: TrackingLocation | None) -> _Sweep:
    found = _Sweep(name)
    logs = log_files(store, name)
    # The sweep may be deleted at this moment.
    with suppress(FileNotFoundError):
        if logs:
            found.last_run = datetime.fromtimestamp(logs[-1].stat().st_mtime).astimezone()
    folders: list[str] = []
    try:
        plan = stored_plan(store.sweep(name))
        found.counts = count(store, plan)
    except InvalidSpecError as error:
        # All mistakes are shown here, however many there are, so that the file can be mended.
        found.error = error.whole
    except QhnError as error:
        found.error = str(error)
    else:
        found.trials = [trial.trial_id for trial in plan.trials]
        folders = [folder for own in folders_of(store, found.trials).values() for folder in own]
    found.bytes = sweep_bytes(store, name, folders, location)
    return found
