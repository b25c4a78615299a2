"""The work of one step as bytes, for the member of a shared job that submits it."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.estimators.sampler import SampleKey
from qhn.devices.queued import Part


def encode_part(part: Part) -> bytes:
    """The part as one line of JSON and the angles, bit for bit."""
    about = {
        "ansatz": asdict(part.ansatz),
        "sets": len(part.sets),
        "shots": part.shots,
        "key": asdict(part.key),
    }
    angles = np.ascontiguousarray(part.sets, dtype="<f8")
    return json.dumps(about).encode() + b"\n" + angles.tobytes()


def decode_part(content: bytes) -> Part:
    """Read what `encode_part` made."""
    line, _, angles = content.partition(b"\n")
    about = json.loads(line)
    ansatz = Ansatz(**about["ansatz"])
    numbers = np.frombuffer(angles, dtype="<f8").astype(np.float64)
    shape = (about["sets"], *ansatz.parameter_shape)
    return Part(ansatz, numbers.reshape(shape), about["shots"], SampleKey(**about["key"]))
