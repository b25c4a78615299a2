"""The sweeps that share a queue, and the limits that hold for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields

from qhn.lanes.desk import sweep_of
from qhn.lanes.limits import Budget, Limits

#: Seconds after which a sweep that has asked for nothing, and has nothing under way, is forgotten.
ABSENCE_S = 600.0


@dataclass
class Tenant:
    """A sweep that uses the queue.

    Attributes:
        limits: what it wants to be under way at once.
        budget: what it may use, or None.
        store: the address of its store.
        asked_at: when it asked last, by the broker's clock.
        noted: what it was told of its limits last.
    """

    limits: Limits
    budget: Budget | None
    store: str
    asked_at: float
    noted: str = ""


class Tenants:
    """All sweeps that use a queue, by account.

    Each sweep file may state limits of its own, but the queue has only one set of them. The least
    of each number holds, since every sweep may have a reason for its own that the others do not
    know, such as a quota of the user. Only of the times the greatest holds: a short term would take
    leases away from those who have promised to renew them less often.
    """

    def __init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}

    @property
    def accounts(self) -> list[str]:
        """The accounts of these sweeps."""
        return list(self._tenants)

    def store_of(self, account: str) -> str | None:
        """The address of a sweep's store; None if the sweep is not known."""
        tenant = self._tenants.get(account)
        return None if tenant is None else tenant.store

    def enter(
        self, account: str, limits: Limits, budget: Budget | None, store: str, now: float
    ) -> None:
        """Note that a sweep uses the queue, with these limits and this budget from now on."""
        there = self._tenants.get(account)
        noted = "" if there is None else there.noted
        self._tenants[account] = Tenant(limits, budget, store, now, noted)

    def leave(self, account: str) -> None:
        """Note that a sweep does not use the queue after all."""
        self._tenants.pop(account, None)

    def forget(self, now: float, at_work: Collection[str]) -> None:
        """Forget sweeps that are long gone.

        Args:
            now: the time.
            at_work: accounts that wait for something or have something in flight.
        """
        for account, tenant in list(self._tenants.items()):
            if tenant.asked_at + ABSENCE_S < now and account not in at_work:
                del self._tenants[account]

    @property
    def limits(self) -> Limits:
        """What holds for the queue; the defaults if nobody uses it."""
        return least(tenant.limits for tenant in self._tenants.values())

    @property
    def budgets(self) -> dict[str, Budget]:
        """The budgets of sweeps that have one, by account."""
        found = {account: tenant.budget for account, tenant in self._tenants.items()}
        return {account: budget for account, budget in found.items() if budget is not None}

    def stores(self) -> set[str]:
        """The addresses of their stores."""
        return {tenant.store for tenant in self._tenants.values()}

    def notes_for(self, account: str) -> tuple[str, ...]:
        """What a sweep must be told, unless it was told so before: that other limits hold."""
        tenant, hold = self._tenants[account], asdict(self.limits)
        differs = [
            f"{name} is {hold[name]} and not {wanted}, as {self._who(name, hold[name])} asks"
            for name, wanted in asdict(tenant.limits).items()
            if hold[name] != wanted
        ]
        text = "; ".join(differs)
        if text == tenant.noted:
            return ()
        tenant.noted = text
        if not text:
            return (
                "the limits of this sweep's lane hold again, since no other sweep asks for less",
            )
        return (f"several sweeps share the queue of this lane, and the least holds: {text}",)

    def _who(self, name: str, value: object) -> str:
        who = next(
            account
            for account, tenant in self._tenants.items()
            if getattr(tenant.limits, name) == value
        )
        return f"sweep {sweep_of(who)!r}"


def least(limits: Iterable[Limits]) -> Limits:
    """The limits that keep all of these, with the greatest times; for none, the defaults."""
    known = list(limits)
    if not known:
        return Limits()
    # None means no limit, which is more than any number.
    values = {
        field.name: [v for v in (getattr(one, field.name) for one in known) if v is not None]
        for field in fields(Limits)
    }
    return Limits(
        jobs_in_flight=min(values["jobs_in_flight"]),
        submissions_per_minute=min(values["submissions_per_minute"], default=None),
        requests_per_job=min(values["requests_per_job"]),
        term_s=max(values["term_s"]),
        minute_s=max(values["minute_s"]),
    )
