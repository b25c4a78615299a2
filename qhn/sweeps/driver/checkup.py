"""Looks at the devices of a sweep, each where its trials will open it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from qhn.core.errors import DeviceError
from qhn.sweeps.driver.node_tasks import have_left, on_each
from qhn.sweeps.driver.nodes import Node
from qhn.sweeps.driver.tickets import Tickets
from qhn.sweeps.planning.plan import Plan, PlannedTrial
from qhn.sweeps.store import Store
from qhn.sweeps.trial.device_check import Opening, check_device, check_devices
from qhn.sweeps.trial.findings import Finding, Verdict

# How long a machine may take to import a provider's library and to ask the provider, in seconds.
_PATIENCE_S = 120.0
# A paid job waits in a queue.
_JOB_PATIENCE_S = 900.0
_SILENT = "the machine has not answered within %.0f s"
_LEFT = "it was not looked at, since the machine has left the Ray while it was asked"


def representatives(plan: Plan, left: Iterable[PlannedTrial]) -> list[PlannedTrial]:
    """One trial for each device and lane, that with the most qubits.

    Args:
        plan: the plan of the sweep.
        left: the trials to choose from.
    """
    largest: dict[tuple[Any, ...], PlannedTrial] = {}
    for trial in left:
        key = trial.config.device, trial.lane, trial.device_label
        known = largest.get(key)
        if known is None or trial.config.n_qubits > known.config.n_qubits:
            largest[key] = trial
    return list(largest.values())


def check_queues(
    plan: Plan, store: Store, left: Iterable[PlannedTrial], nodes: Sequence[Node] = ()
) -> list[str]:
    """Look at the queued devices of the trials that are left, before anything is started.

    Args:
        plan: the plan of the sweep.
        store: the store of the sweep.
        left: the trials that are left.
        nodes: the machines of the Ray to which this process is connected, if there is one.

    Returns:
        Notes for people about what is not as it should be, but may pass.

    Raises:
        DeviceError: if a device cannot be used; the message names each of them.
    """
    queued = [trial for trial in left if trial.lane is not None]
    findings = look_at_devices(plan, store, queued, nodes)
    wrong = [found for found in findings if found.verdict == "wrong"]
    if wrong:
        raise DeviceError("; ".join(f"{found.where}: {found.text}" for found in wrong))
    return [f"{f.where}: {f.text}" for f in findings if f.verdict == "warning"]


def look_at_devices(
    plan: Plan,
    store: Store,
    trials: Iterable[PlannedTrial],
    nodes: Sequence[Node] = (),
    *,
    run_job: bool = False,
) -> list[Finding]:
    """Look at the devices of trials.

    Devices of a lane whose resource some machines have are looked at there, since these may be the
    only ones with a secret and a way to the provider. All others are looked at in this process.

    Args:
        plan: the plan of the sweep.
        store: the store of the sweep.
        trials: the trials.
        nodes: the machines of the Ray to which this process is connected, if there is one.
        run_job: whether to run one tiny job on each device, see `check_device`.
    """
    tickets = Tickets(plan, store)
    found: list[Finding] = []
    there: dict[str, list[Opening]] = {}
    for trial in representatives(plan, trials):
        name = trial.device_label or trial.config.device.title
        opening = Opening(name, trial.config, tickets.of(trial))
        of_lane = [] if trial.lane is None else [n.id for n in nodes if n.slots(trial.lane)]
        if not of_lane:
            found += check_device(opening, run_job=run_job)
        # One job is enough to see that a device works, and each is paid for.
        for node in of_lane[:1] if run_job else of_lane:
            there.setdefault(node, []).append(opening)
    return found + _look_there(there, {node.id: node.name for node in nodes}, run_job)


def _look_there(
    there: dict[str, list[Opening]], names: dict[str, str], run_job: bool
) -> list[Finding]:
    """Look at devices on other machines, given by Ray's ids of these."""
    if not there:
        return []
    patience = _JOB_PATIENCE_S if run_job else _PATIENCE_S
    answers, failures = on_each(
        check_devices, {node: (openings, run_job) for node, openings in there.items()}, patience
    )
    silent = {node: failures.get(node, _SILENT % patience) for node in there if node not in answers}
    gone = have_left(silent)
    found = []
    for node, openings in there.items():
        # Another machine of the lane, or one that joins later, may have the device.
        verdict: Verdict = "warning" if node in gone else "wrong"
        why = _LEFT if node in gone else silent.get(node, "")
        found += [
            replace(finding, where=f"{finding.where} on {names[node]}")
            for finding in answers.get(node)
            or [Finding(opening.name, "device", verdict, why) for opening in openings]
        ]
    return found
