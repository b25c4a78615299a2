"""What is known about trials and sweeps, on disk: the only state that a resumed sweep needs."""

from qhn.sweeps.store.lock import SweepLock
from qhn.sweeps.store.record import TrialRecord, read_record
from qhn.sweeps.store.results import TrialError, TrialResult, results_digest
from qhn.sweeps.store.store import Store, SweepFolder, open_store

__all__ = [
    "Store",
    "SweepFolder",
    "SweepLock",
    "TrialError",
    "TrialRecord",
    "TrialResult",
    "open_store",
    "read_record",
    "results_digest",
]
