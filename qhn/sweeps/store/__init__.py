"""The store: all that is known about trials and sweeps, and all that a resumed sweep needs."""

from qhn.sweeps.store.checkpoints import Checkpoint
from qhn.sweeps.store.opening import open_store
from qhn.sweeps.store.record import TrialRecord, history_until, read_history, read_record
from qhn.sweeps.store.results import TrialError, TrialResult, diverged, results_digest
from qhn.sweeps.store.store import Outcomes, Store
from qhn.sweeps.store.sweep import SweepLock, SweepStore

__all__ = [
    "Checkpoint",
    "Outcomes",
    "Store",
    "SweepLock",
    "SweepStore",
    "TrialError",
    "TrialRecord",
    "TrialResult",
    "diverged",
    "history_until",
    "open_store",
    "read_history",
    "read_record",
    "results_digest",
]
