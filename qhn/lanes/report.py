"""What is under way in a queue, for people."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from qhn.lanes.desk import sweep_of
from qhn.lanes.state import Account, State
from qhn.lanes.tenants import Tenants


def report(queue: str, state: State, tenants: Tenants) -> dict[str, Any]:
    """What is under way, as JSON values.

    Args:
        queue: the name of the queue.
        state: the state of its machine.
        tenants: the sweeps that use it.

    Returns:
        ``queue``; ``limits``; ``jobs_in_flight``; ``unattended``, how many of these jobs nobody
        looks after; and ``sweeps``, for each sweep its ``sweep``, ``store``, ``waiting`` for a
        lease, ``waiting_for_budget``, ``in_flight`` steps, what it has ``spent`` and its
        ``budget``.
    """
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_COUNTED, 0))
    for entry in state.waiting.values():
        counts[entry.request.sweep]["waiting"] += 1
    for entry in state.parked.values():
        counts[entry.request.sweep]["waiting_for_budget"] += 1
    for lease in state.places():
        for member in lease.members:
            counts[member.request.sweep]["in_flight"] += 1
    accounts = sorted({*counts, *state.accounts, *tenants.accounts})
    return {
        "queue": queue,
        "limits": asdict(state.limits),
        "jobs_in_flight": state.in_flight,
        "unattended": len(state.orphans),
        "sweeps": [
            {
                "sweep": sweep_of(account),
                "store": tenants.store_of(account),
                **counts[account],
                "spent": asdict(state.accounts.get(account, Account()).spent),
                "budget": asdict(budget) if (budget := state.budgets.get(account)) else None,
            }
            for account in accounts
        ],
    }


_COUNTED = ("waiting", "waiting_for_budget", "in_flight")
