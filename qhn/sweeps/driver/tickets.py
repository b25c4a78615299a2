"""What each trial on a queued device is told about its lane."""

from __future__ import annotations

from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import local_folder

#: The folder in a store for the files of devices that keep some, such as a QPU to practise on.
DEVICES = "devices"


class Tickets:
    """The tickets of a sweep's trials, as JSON text. One is made for each lane and device.

    Args:
        plan: the plan of the sweep.
        store: the store of the sweep, which also has the ledgers of its queues.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan = plan
        self._store = store
        self._made: dict[tuple[str, str], str] = {}

    def of(self, trial: PlannedTrial) -> str | None:
        """The ticket of a trial; None for a trial that is simulated."""
        if trial.lane is None or trial.device_label is None:
            return None
        key = trial.lane, trial.device_label
        if key not in self._made:
            ticket = self._plan.lane(trial.lane).ticket(
                trial.device_label,
                store=self._store.uri,
                sweep=self._plan.name,
                folder=str(local_folder(self._store) / DEVICES),
            )
            self._made[key] = ticket.to_json()
        return self._made[key]
