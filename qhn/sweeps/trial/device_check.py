"""Looks at a device before money is spent: libraries, credentials, backend, queue.

A plan cannot know these: it is made anywhere, without secrets and without a network. The secrets of
a provider may be on one machine of a cluster alone, so that this runs where the trials will.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from qhn.core.errors import QhnError
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.handle import DeviceHandle, SamplerHandle, SimulatorHandle
from qhn.devices.queued import JobReport, Part, QueuedHandle
from qhn.lanes.failures import Verdict, classify
from qhn.lanes.submission import Submission
from qhn.lanes.ticket import Ticket
from qhn.sweeps.config import factory
from qhn.sweeps.config.trial import TrialConfig
from qhn.sweeps.trial.findings import Finding
from qhn.sweeps.trial.lane_opening import open_device

# A passing failure of a provider is no reason to refuse a sweep that runs for hours.
_ATTEMPTS = 3
_TINY_SHOTS = 16
_JOB_PATIENCE_S = 600.0
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


@dataclass(frozen=True)
class Opening:
    """A device that is to be opened.

    Attributes:
        name: the device, as people read it.
        config: the configuration of a trial on it. Its circuit decides how many qubits the device
            must have.
        ticket: the trial's ticket as JSON text; None if its device has no queue.
    """

    name: str
    config: TrialConfig
    ticket: str | None


def check_device(opening: Opening, *, run_job: bool = False) -> list[Finding]:
    """Open a device, and look at it, in this process.

    Args:
        opening: the device.
        run_job: whether to run one tiny job on it. It is paid for like any other, but counts in no
            budget.
    """
    device, config = opening.name, opening.config
    opened = None if opening.ticket is None else Ticket.from_json(opening.ticket)
    try:
        handle = open_device(config, opened)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is what people must see
        return [Finding(device, "device", "wrong", _words(error))]
    with handle:
        words = f"{config.device.title} opens, with {config.n_qubits} qubits"
        found = [Finding(device, "device", "fine", words)]
        if isinstance(handle, QueuedHandle):
            found += _check_queue(device, handle)
        if run_job and all(finding.verdict != "wrong" for finding in found):
            found.append(_check_job(device, handle, config))
    return found


def check_devices(openings: list[Opening], run_job: bool) -> list[Finding]:
    """Look at several devices, see `check_device`."""
    return [found for opening in openings for found in check_device(opening, run_job=run_job)]


def _check_queue(device: str, handle: QueuedHandle) -> list[Finding]:
    found = []
    state: Callable[[], Any] | None = getattr(handle, "state", None)
    if state is not None:
        try:
            now = _patiently(state)
        except Exception as error:  # noqa: BLE001 - as above
            return [_failure(device, "backend", error)]
        jobs = f"{now.pending_jobs} jobs of all users wait for it"
        if now.operational:
            found.append(Finding(device, "backend", "fine", f"it is {now.message}; {jobs}"))
        else:
            text = f"it takes no jobs now ({now.message}); they wait until it does; {jobs}"
            found.append(Finding(device, "backend", "warning", text))
    try:
        # Nothing has this id. The question needs credentials and a service that answers.
        _patiently(lambda: handle.find(Submission("doctor", "0" * 16, 0).id))
    except Exception as error:  # noqa: BLE001 - as above
        found.append(_failure(device, "queue", error))
    else:
        found.append(Finding(device, "queue", "fine", "the service answers, and shows its jobs"))
    return found


def _patiently(ask: Callable[[], Any]) -> Any:
    """Ask, and ask again after a failure that passes by itself."""
    for attempt in range(_ATTEMPTS):
        try:
            return ask()
        except Exception as error:
            if attempt == _ATTEMPTS - 1 or classify(error, "poll") is Verdict.PERMANENT:
                raise
    raise AssertionError("the last attempt returns or raises")


def _failure(device: str, what: str, error: Exception) -> Finding:
    passes = classify(error, "poll") is not Verdict.PERMANENT
    text = f"the service does not answer as it should: {_words(error)}"
    return Finding(device, what, "warning" if passes else "wrong", text)


def _check_job(device: str, handle: DeviceHandle, config: TrialConfig) -> Finding:
    """Run one circuit with all angles zero, a few times."""
    ansatz = factory.ansatz(config)
    angles = np.zeros((1, *ansatz.parameter_shape))
    key = SampleKey(config.trial_id, config.seed, 0)
    shots = min(_TINY_SHOTS, config.device.capabilities.shots or _TINY_SHOTS)
    begin = time.monotonic()
    try:
        if isinstance(handle, QueuedHandle):
            return _run_queued(device, handle, Part(ansatz, angles, shots, key))
        if isinstance(handle, SimulatorHandle):
            handle.probabilities(angles[0])
        elif isinstance(handle, SamplerHandle):
            handle.sample(angles, shots, key)
    except Exception as error:  # noqa: BLE001 - as above
        return Finding(device, "job", "wrong", _words(error))
    seconds = time.monotonic() - begin
    return Finding(device, "job", "fine", f"one circuit ran in {seconds:.2f} s")


def _run_queued(device: str, handle: QueuedHandle, part: Part) -> Finding:
    # Each job of a doctor has an id of its own: one that was run before would be given back.
    submission = Submission("doctor", part.key.trial[:16] or "0", int(time.time()) % 10**9).id
    job = handle.submit(submission, [part])
    begin, report, number = time.monotonic(), JobReport("queued"), 0
    while not report.is_over:
        if time.monotonic() - begin > _JOB_PATIENCE_S:
            text = f"job {job} still waits at the provider after {_JOB_PATIENCE_S:.0f} s"
            return Finding(device, "job", "warning", f"{text}; it goes on without us")
        report = _patiently(lambda: handle.look(job))
        if not report.is_over:
            time.sleep(min(_LONGEST_PAUSE_S, _PAUSE_S * 2**number))
            number += 1
    if report.phase == "failed":
        return Finding(device, "job", "wrong", f"job {job} has failed: {report.why}")
    drawn = _patiently(lambda: handle.fetch(job))[0].size
    text = f"job {job} gave {drawn} samples in {time.monotonic() - begin:.1f} s"
    if report.qpu_seconds is not None:
        text += f"; {report.qpu_seconds:.2f} QPU s were billed"
    return Finding(device, "job", "fine", text)


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    # The errors of qhn say what to do. Those of a library are better known by their class.
    return text if isinstance(error, QhnError) else f"{type(error).__name__}: {text}"
