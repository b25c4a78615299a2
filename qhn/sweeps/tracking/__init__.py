"""MLflow as a projection of the store: one writer, one run per trial for life."""

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
