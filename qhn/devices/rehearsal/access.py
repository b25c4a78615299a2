"""The settings of the rehearsal device that decide no numbers, only times, failures and prices."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Submission
from qhn.devices.queued import Provider
from qhn.devices.rehearsal.presets import PRESETS, Behaviour, Preset, QueueSpread

_CHOICES = {"submission": Submission, "queue_spread": QueueSpread}
_COUNTS = (
    "pending",
    "submissions_per_minute",
    "parts_per_job",
    "executions_per_job",
    "session_jobs",
)
_AMOUNTS = (
    "queue_s",
    "job_s",
    "execution_s",
    "price_job",
    "price_shot",
    "price_second",
    "price_minimum",
    "listing_lag_s",
)
_SHARES = ("transient_rate", "timeout_rate", "timeout_accepted", "failure_rate")


@dataclass(frozen=True)
class RehearsalAccess:
    """How the rehearsal device behaves. Every setting that is None has the value of the preset.

    All times and prices are those of the provider that is rehearsed. ``speedup`` makes its clock
    run faster, and changes neither what is billed nor the price.

    Attributes:
        preset: the provider to rehearse. ``ibm-open``: 3 pending jobs, 5 submissions a minute,
            jobs of several parts, found again by a tag, priced per second. ``braket``: priced per
            job and shot, a repeated submission gives the job that exists. ``iqm``: priced per
            second; jobs can neither be found nor be submitted twice without being paid twice.
        submission: what becomes of a job whose id was lost: ``idempotent``, ``findable`` or
            ``neither``; see `qhn.devices.capabilities.Submission`.
        queue_s: how long a job waits on average before the processor is asked for it, seconds.
        queue_spread: whether these times are ``exponential`` around their mean, or ``constant``.
        job_s: seconds of the processor that each job takes, however short it is.
        execution_s: seconds of the processor for one execution of one circuit.
        pending: the most jobs that may be waiting or executing; more are refused.
        submissions_per_minute: the most jobs that are accepted in any minute; more are refused.
        parts_per_job: the most parts (steps of trials) in one job.
        executions_per_job: the most executions (sets of angles times shots) in one job.
        price_job: the price of each job.
        price_shot: the price of each execution.
        price_second: the price of each second of the processor.
        price_minimum: the least that a job costs.
        transient_rate: the share of calls, 0 to 1, that fail although nothing is wrong. Nothing was
            submitted by such a call.
        timeout_rate: the share of submissions, 0 to 1, whose answer is lost, so that the caller
            cannot know whether the job was accepted.
        timeout_accepted: the share of these, 0 to 1, in which it was accepted.
        failure_rate: the share of jobs, 0 to 1, that fail at the provider. They are not billed.
        session_jobs: after so many jobs the session is closed, and the next call of each handle
            fails once; sessions last for ever where the preset has none.
        listing_lag_s: seconds after which a new job can be found by its submission id.
        speedup: how many seconds of the provider pass in one second, above 0.
        seed: all waiting times and failures are drawn from it. It changes no sample.
        folder: the folder with the provider's file. Sweeps of two stores that name the same folder
            share the processor. None is a folder in the store, and without a store a temporary one
            for each handle.

    Raises:
        InvalidValueError: if a setting is out of its range, or if there is no such preset.

    Example:
        >>> RehearsalAccess("braket", queue_s=0.0).provider.price_job
        0.3
    """

    preset: Preset = "ibm-open"
    submission: Submission | None = None
    queue_s: float | None = None
    queue_spread: QueueSpread | None = None
    job_s: float | None = None
    execution_s: float | None = None
    pending: int | None = None
    submissions_per_minute: int | None = None
    parts_per_job: int | None = None
    executions_per_job: int | None = None
    price_job: float | None = None
    price_shot: float | None = None
    price_second: float | None = None
    price_minimum: float | None = None
    transient_rate: float | None = None
    timeout_rate: float | None = None
    timeout_accepted: float | None = None
    failure_rate: float | None = None
    session_jobs: int | None = None
    listing_lag_s: float | None = None
    speedup: float = 1.0
    seed: int = 0
    folder: str | None = None

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise InvalidValueError(
                f"preset must be one of {', '.join(PRESETS)}, but got {self.preset!r}"
            )
        for name, type_ in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in get_args(type_):
                raise InvalidValueError(
                    f"{name} must be one of {', '.join(get_args(type_))}, but got {value!r}"
                )
        for name in _COUNTS:
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        for name in (*_AMOUNTS, *_SHARES):
            if getattr(self, name) is not None:
                _check_number(name, getattr(self, name), most=1.0 if name in _SHARES else None)
        _check_number("speedup", self.speedup)
        if self.speedup == 0:
            raise InvalidValueError("`speedup > 0` must hold, but got speedup=0")
        if self.behaviour.job_s == 0 and self.behaviour.execution_s == 0:
            raise InvalidValueError(
                "a job must take some time of the processor, but got job_s=0 and execution_s=0; "
                "make one of them larger, or raise the speedup"
            )
        check_count("seed", self.seed, least=0)

    @property
    def behaviour(self) -> Behaviour:
        """The preset, with every setting that is given in place of the preset's."""
        names = [field.name for field in dataclasses.fields(Behaviour)]
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        return dataclasses.replace(
            PRESETS[self.preset], **{k: v for k, v in given.items() if v is not None}
        )

    @property
    def provider(self) -> Provider:
        """See `qhn.devices.queued.Access`."""
        chosen = self.behaviour
        names = {field.name for field in dataclasses.fields(Provider)}
        same = {
            field.name: getattr(chosen, field.name)
            for field in dataclasses.fields(Behaviour)
            if field.name in names
        }
        # Nobody pays it, and a plan that shows a price must not look as if somebody did.
        return Provider(**same, speedup=self.speedup, currency="rehearsed USD")

    def queue(self, label: str) -> str:
        """See `qhn.devices.queued.Access`. With a folder of its own, the folder decides."""
        own = "rehearsal-" + (re.sub(r"[^0-9A-Za-z]+", "-", label).strip("-") or "qpu")
        # A folder that `placed` filled in has the queue's name, which must not change by that: the
        # records of a store must stay valid when the store is moved.
        if self.folder is None or Path(self.folder).name == own:
            return own
        place = os.path.realpath(Path(self.folder).expanduser())
        return "rehearsal-" + hashlib.sha256(os.fsencode(place)).hexdigest()[:16]

    def placed(self, folder: str, label: str) -> RehearsalAccess:
        """See `qhn.devices.queued.Access`. An explicit folder is only made absolute."""
        if self.folder is None:
            chosen = Path(folder) / self.queue(label)
        else:
            chosen = Path(self.folder).expanduser()
        # Every process of the sweep must find it, whatever directory it works in.
        return dataclasses.replace(self, folder=str(chosen.absolute()))


def _check_number(name: str, value: Any, most: float | None = None) -> None:
    rule = f"`{name} >= 0`" if most is None else f"`0 <= {name} <= {most:g}`"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0 or (most is not None and value > most):
        raise InvalidValueError(f"{rule} must hold, with a finite number, but got {name}={value!r}")
