"""Devices that sample, side by side: all shifted circuits of one gradient, on one core.

    python benchmarks/devices.py

Every pair runs in this process, in turns, so that disturbances of the machine affect both. Times
are milliseconds, the fastest turn; ``ratio`` is that of the fastest turns, and must reach
``wanted``. A gradient by the parameter-shift rule takes 37 circuits on 6 qubits and 85 on 14, with
two layers; each is run for 256 shots. Only drawing the samples is timed, because what follows is
the same for all devices.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy is imported

import argparse  # noqa: E402
import json  # noqa: E402
from collections.abc import Callable  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from itertools import count  # noqa: E402
from typing import Any, NamedTuple  # noqa: E402

import numpy as np  # noqa: E402
import pennylane as qml  # noqa: E402
from engines.qnodes import apply_gates  # noqa: E402
from engines.timing import interleave  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from qhn.core.ansatz import Ansatz  # noqa: E402
from qhn.core.arrays import FloatArray  # noqa: E402
from qhn.core.estimators.sampler import SampleKey  # noqa: E402
from qhn.core.estimators.shift import shifted_sets  # noqa: E402
from qhn.devices import make_device  # noqa: E402

SHOTS = 256
NOISE = {"p1": 0.001, "p2": 0.004}
ROUNDS, SECONDS = 10, 30.0


class Pair(NamedTuple):
    """Two ways to the same samples.

    Attributes:
        what: what is sampled.
        n_qubits: N, with two layers of brickwork.
        ours: options of the device that must be faster.
        theirs: options of the device that it is compared with; for ``"qnodes"``, QNodes on
            ``qiskit.remote``, as PennyLane's documentation has them.
        wanted: how many times as fast it must be.
    """

    what: str
    n_qubits: int
    ours: dict[str, Any]
    theirs: dict[str, Any]
    wanted: float


PAIRS = (
    Pair(
        "FakeNairobiV2",
        6,
        {"name": "qiskit", "backend": "FakeNairobiV2"},
        {"name": "qnodes"},
        20.0,
    ),
    Pair(
        "without noise",
        14,
        {"name": "exact", "shots": SHOTS},
        {"name": "pennylane", "device": "lightning.qubit", "shots": SHOTS},
        10.0,
    ),
    Pair(
        "with noise",
        14,
        {"name": "exact", "shots": SHOTS, "noise": NOISE},
        {"name": "qiskit", "shots": SHOTS, "noise": NOISE, "method": "statevector"},
        30.0,
    ),
)


def title(options: dict[str, Any]) -> str:
    """A device as the table shows it."""
    if options["name"] == "qnodes":
        return "qiskit.remote QNodes"
    shown = [str(value) for key, value in options.items() if key not in ("shots", "noise")]
    return " ".join(shown)


def qnodes(ansatz: Ansatz) -> Callable[[FloatArray], object]:
    """QNodes on ``qiskit.remote``, which submits one job for each set of angles."""
    from qiskit_ibm_runtime.fake_provider import FakeNairobiV2

    device = qml.device("qiskit.remote", wires=ansatz.n_qubits, backend=FakeNairobiV2())

    def circuit(angles: Any) -> Any:
        apply_gates(ansatz, angles)
        return qml.sample(wires=range(ansatz.n_qubits))

    node = qml.set_shots(qml.QNode(circuit, device, diff_method=None), shots=SHOTS)
    # Broadcast, which is what PennyLane recommends; its plugin takes the circuits apart again.
    return lambda sets: node(np.moveaxis(sets, 0, -1))


def sampler(
    options: dict[str, Any], ansatz: Ansatz, stack: ExitStack
) -> Callable[[FloatArray], object]:
    """A function that draws the samples of all sets of angles; each call is another step."""
    if options["name"] == "qnodes":
        return qnodes(ansatz)
    handle: Any = stack.enter_context(make_device(**options).open(ansatz))
    steps = count()
    return lambda sets: handle.sample(sets, SHOTS, SampleKey("", 0, next(steps)))


def measured(pair: Pair) -> dict[str, Any]:
    """The times of both devices of a pair."""
    ansatz = Ansatz.brickwork(pair.n_qubits, 2)
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, ansatz.parameter_shape)
    sets = shifted_sets(ansatz, angles)
    with ExitStack() as stack:
        ours, theirs = (sampler(o, ansatz, stack) for o in (pair.ours, pair.theirs))
        calls = {("ours", ""): lambda: ours(sets), ("theirs", ""): lambda: theirs(sets)}
        found = interleave(calls, rounds=ROUNDS, seconds=SECONDS)
    times = {key: found[key, ""] for key in ("ours", "theirs")}
    return {
        "what": pair.what,
        "qubits": pair.n_qubits,
        "circuits": len(sets),
        "ours": title(pair.ours),
        "ours_ms": times["ours"].best,
        "theirs": title(pair.theirs),
        "theirs_ms": times["theirs"].best,
        "ratio": times["theirs"].best / times["ours"].best,
        "ratio_of_medians": times["theirs"].median / times["ours"].median,
        "wanted": pair.wanted,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    as_json = parser.parse_args().json
    rows = [measured(pair) for pair in PAIRS]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
