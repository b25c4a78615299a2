"""Writes sweeps to MLflow, which shows what the store holds and can be rebuilt from it.

Each sweep has one writer at a time, and each trial keeps the same run in MLflow for as long as the
sweep exists.
"""

from qhn.sweeps.tracking.client import WriterProcess
from qhn.sweeps.tracking.database import check_database
from qhn.sweeps.tracking.knowledge import Knowledge
from qhn.sweeps.tracking.location import TrackingLocation, tracking_location
from qhn.sweeps.tracking.runs import SweepRuns
from qhn.sweeps.tracking.writer import TrackingWriter

__all__ = [
    "Knowledge",
    "SweepRuns",
    "TrackingLocation",
    "TrackingWriter",
    "WriterProcess",
    "check_database",
    "tracking_location",
]
