"""Asks all machines of a Ray at once about themselves, and whether they see the driver's store.

The functions that they run for it are sent by value (`qhn.sweeps.trial.probe` says why).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from qhn.core.errors import DamagedError, QhnError
from qhn.sweeps.driver.neighbours import private_folder
from qhn.sweeps.driver.node_tasks import have_left, on_each
from qhn.sweeps.driver.nodes import Node
from qhn.sweeps.store import Store
from qhn.sweeps.trial import probe as by_value
from qhn.sweeps.trial.probe import Answer, Question, clock, probe
from qhn.version import VERSION

#: How long a machine may take to answer, in seconds. Starting a process there takes most of it.
PATIENCE_S = 30.0
# One whose process runs already answers within milliseconds.
_CLOCK_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Skew:
    """How far a machine's clock is from the driver's.

    Attributes:
        seconds: by how much it is ahead.
        error: by how much that may be wrong, in seconds: half of the time that the answer took.
    """

    seconds: float
    error: float

    @property
    def at_least(self) -> float:
        """By how many seconds the clocks differ in any case."""
        return max(0.0, abs(self.seconds) - self.error)


@dataclass(frozen=True)
class Asked:
    """A machine that was asked.

    Attributes:
        node: the machine.
        answer: what it has answered, or None.
        why: why there is no answer.
        gone: whether it has left the Ray meanwhile.
        read_back: whether the driver has read in the store what the machine wrote there.
        skew: how far its clock is from the driver's; None if it was not asked.
    """

    node: Node
    answer: Answer | None = None
    why: str = ""
    gone: bool = False
    read_back: bool = False
    skew: Skew | None = None


def ask_here(store: Store, node: Node) -> Asked:
    """Ask this machine, in this process.

    Args:
        store: the store that the sweep will use.
        node: this machine.

    Raises:
        StoreError: if this process cannot write into the store.
    """
    with _meeting(store, str(private_folder().parent)) as question:
        answer = probe({**question, "node": node.id})
        return _read_back([Asked(node, answer)], store, question)[0]


def ask_nodes(nodes: Sequence[Node], store: Store, patience_s: float = PATIENCE_S) -> list[Asked]:
    """Ask all machines of the Ray to which this process is connected.

    Args:
        nodes: the machines.
        store: the store that the sweep will use.
        patience_s: how many seconds to wait for all of them together.

    Raises:
        StoreError: if this process cannot write into the store.
    """
    with _meeting(store) as question, _sent_by_value():
        questions = {node.id: ({**question, "node": node.id},) for node in nodes}
        answers, failures = on_each(probe, questions, patience_s)
        asked = [
            Asked(node, answers.get(node.id), failures.get(node.id, ""))
            if node.id in answers or node.id in failures
            else Asked(node, why=f"it has not answered within {patience_s:.0f} s")
            for node in nodes
        ]
        skews = _skews(list(answers))
        asked = [replace(one, skew=skews.get(one.node.id)) for one in asked]
        return _without_gone(_read_back(asked, store, question))


@contextmanager
def _meeting(store: Store, temporary: str | None = None) -> Iterator[Question]:
    """Write something into the store for the machines to read, and remove it in the end."""
    folder, secret = f"doctor-{secrets.token_hex(8)}", secrets.token_hex(8)
    try:
        store.backend.put(f"{folder}/driver", secret.encode(), durable=False)
        yield Question(
            node="",
            store=store.uri,
            folder=folder,
            secret=secret,
            qhn=VERSION,
            temporary=temporary,
        )
    finally:
        # What cannot be removed is in the way of nothing.
        with suppress(QhnError):
            store.backend.remove(folder)


def _read_back(asked: list[Asked], store: Store, question: Question) -> list[Asked]:
    keys = {f"{question['folder']}/{one.node.id}": one for one in asked}
    found: Mapping[str, bytes | DamagedError] = {}
    with suppress(QhnError):
        found = store.backend.get_many(keys)
    return [
        replace(one, read_back=found.get(key) == f"{question['secret']} {one.node.id}".encode())
        for key, one in keys.items()
    ]


def _skews(nodes: list[str]) -> dict[str, Skew]:
    """How far the clocks of machines are from ours, of those whose process runs already."""
    asked = time.time()
    answers, _ = on_each(clock, dict.fromkeys(nodes, ()), _CLOCK_PATIENCE_S, note_time=True)
    skews = {}
    for node, (theirs, received) in answers.items():
        skews[node] = Skew(theirs - (asked + received) / 2, (received - asked) / 2)
    return skews


def _without_gone(asked: list[Asked]) -> list[Asked]:
    """The machines, with a mark at those that have left."""
    gone = have_left({one.node.id: one.why for one in asked if one.answer is None})
    return [replace(one, gone=True) if one.node.id in gone else one for one in asked]


@contextmanager
def _sent_by_value() -> Iterator[None]:
    """Let Ray send the functions of the probe as they are, and not the name of their module."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(by_value)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(by_value)
