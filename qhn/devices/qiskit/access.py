"""The settings with which IBM's processors are reached. They decide no numbers and hold no secret.

This module is read while a sweep is planned, so it must not import Qiskit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from qhn.core.errors import InvalidValueError
from qhn.devices.queued import Provider

Plan = Literal["open", "pay-as-you-go"]

#: The most executions, sets times shots, in one job of IBM's sampler.
MOST_EXECUTIONS = 10_000_000
#: The most jobs of one user that wait or run on the open plan.
_OPEN_PENDING = 3
#: What IBM asks for a second of a processor on the plan pay-as-you-go, in USD. Prices change.
_PRICE_SECOND = 1.60


@dataclass(frozen=True)
class RuntimeAccess:
    """How an IBM processor is reached. The token is Qiskit's own business: see `account`.

    Attributes:
        instance: the instance of the IBM Quantum Platform, by its name or its CRN. None leaves the
            choice to the account.
        account: the name of an account in Qiskit's account file. None is the default account: that
            of the environment variables QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE, else that of the
            file.
        plan: ``"open"`` costs nothing, and has 10 minutes of a processor in 28 days and 3 pending
            jobs; ``"pay-as-you-go"`` is paid per second. None expects the worse of both: the
            limits of the one, and the price of the other.
        processor: the name of the processor. The device fills it in, and files leave it out.

    Raises:
        InvalidValueError: if a setting is not as it must be.
    """

    instance: str | None = None
    account: str | None = None
    plan: Plan | None = None
    processor: str | None = field(default=None, metadata={"of_device": True})

    def __post_init__(self) -> None:
        if self.plan is not None and self.plan not in get_args(Plan):
            raise InvalidValueError(
                f"plan must be one of {', '.join(get_args(Plan))}, but got {self.plan!r}"
            )
        for name in ("instance", "account"):
            value: Any = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value.strip()):
                raise InvalidValueError(
                    f"{name} must be a name, but got {value!r}; leave it out for the account's own"
                )

    @property
    def provider(self) -> Provider:
        """See `qhn.devices.queued.Access`. The limits are those that IBM documents."""
        return Provider(
            # From seconds to hours: a guess, for the number of jobs in flight.
            queue_s=60.0,
            job_s=2.0,
            execution_s=250e-6,
            pending=None if self.plan == "pay-as-you-go" else _OPEN_PENDING,
            submissions_per_minute=5,
            # IBM counts executions and not circuits. So many are far below any limit on a request.
            parts_per_job=100,
            executions_per_job=MOST_EXECUTIONS,
            price_second=0.0 if self.plan == "open" else _PRICE_SECOND,
            submission="findable",
        )

    def queue(self, label: str) -> str:
        """See `qhn.devices.queued.Access`: one queue for each processor and instance.

        Jobs have the circuits of several trials, so trials on two processors must never share one.
        """
        name = re.sub(r"[^0-9A-Za-z]+", "-", self.processor or label).strip("-")
        if self.instance is None and self.account is None:
            return name
        # An instance may be a long name with colons and slashes.
        own = json.dumps([self.instance, self.account])
        return f"{name}-{hashlib.sha256(own.encode()).hexdigest()[:8]}"

    def placed(self, folder: str, label: str) -> RuntimeAccess:
        """See `qhn.devices.queued.Access`. Nothing depends on the place."""
        return self

    def of(self, processor: str) -> RuntimeAccess:
        """The same settings for a processor."""
        return dataclasses.replace(self, processor=processor)
