"""Parts of jobs as rows of the provider's file, and back, without pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.queued import Part

#: The columns of a part, in the order of `row_of`.
COLUMNS = "trial, seed, step, shots, sets, ansatz, angles"
#: Shifted sets of angles repeat each other nearly everywhere, so that the fastest level suffices.
_LEVEL = 1

Row = tuple[str, str, int, int, int, str, bytes]


def row_of(part: Part) -> Row:
    """A part as it is kept."""
    angles = np.ascontiguousarray(part.sets, dtype="<f8").tobytes()
    return (
        part.key.trial,
        # A seed may be larger than the integers of SQLite.
        str(part.key.seed),
        part.key.step,
        part.shots,
        len(part.sets),
        json.dumps(dataclasses.asdict(part.ansatz), sort_keys=True),
        zlib.compress(angles, _LEVEL),
    )


def part_of(row: Sequence[Any]) -> Part:
    """The part that was kept as a row."""
    trial, seed, step, shots, sets, ansatz, angles = row
    circuit = Ansatz(**json.loads(ansatz))
    numbers = np.frombuffer(zlib.decompress(angles), dtype="<f8").astype(np.float64)
    return Part(
        circuit,
        numbers.reshape(sets, *circuit.parameter_shape),
        shots,
        SampleKey(trial, int(seed), step),
    )


def executions_of(rows: Iterable[Row]) -> int:
    """How often circuits are executed for all of these parts."""
    return sum(shots * sets for _, _, _, shots, sets, _, _ in rows)


def digest(rows: Iterable[Row]) -> bytes:
    """What a job consists of, so that a repeated submission can be compared with the first."""
    whole = hashlib.sha256()
    for row in rows:
        whole.update(json.dumps(row[:-1]).encode())
        whole.update(row[-1])
    return whole.digest()
