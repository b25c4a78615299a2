"""How work for a queued device is throttled: limits, leases, a ledger, and the machine over them.

All of it is plain data and pure functions. What has processes in it is a shell around `step`.
"""

from qhn.lanes.amounts import Usage
from qhn.lanes.ledger import Ledger, Record, Share
from qhn.lanes.limits import Budget, Limits, Prices
from qhn.lanes.machine import admits, step
from qhn.lanes.rebuild import rebuild
from qhn.lanes.state import Lease, Request, State
from qhn.lanes.submission import Submission

__all__ = [
    "Budget",
    "Lease",
    "Ledger",
    "Limits",
    "Prices",
    "Record",
    "Request",
    "Share",
    "State",
    "Submission",
    "Usage",
    "admits",
    "rebuild",
    "step",
]
