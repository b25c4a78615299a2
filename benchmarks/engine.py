"""Compares the engine of qhn with PennyLane's simulators, each with one thread.

    python benchmarks/engine.py [--out FILE.json] [--quick]

It prints a table. With --out it also writes a list of records with the keys "n" (qubits), "layers",
"contender", "what" (was timed), "ms" (the fastest turn), "ratio" (to qhn's engine), "ms_median",
and "extrapolated" (whether the time was computed from that of one circuit).
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # NumPy's libraries read it when they are imported
warnings.filterwarnings("ignore")  # PennyLane warns about its own future versions

import numpy as np  # noqa: E402
import psutil  # noqa: E402
from engines import training  # noqa: E402
from engines.base import ThisEngine  # noqa: E402
from engines.qnodes import Adjoint, Backprop, ParameterShift  # noqa: E402
from engines.raw import Raw, RawNeededGates, RawStateReused  # noqa: E402
from engines.timing import Timed, interleave  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from qhn.core.ansatz import Ansatz  # noqa: E402
from qhn.core.objectives.objective import Name  # noqa: E402

GRADIENT = "value and gradient"
# Each paragraph is one line, which the terminal breaks.
FOOTER = "\n\n".join(
    (
        "Each cell has the time in milliseconds and, in brackets, how many times as long as this "
        "engine it took. For the engine itself, the brackets compare with its own value and "
        "gradient (g). The circuit is brickwork with the CNOTs first, with random angles and a "
        "dense diagonal observable, in double precision and with one thread.",
        "After a warm-up, the contenders take turns in one process. The fastest turn counts, "
        "because whatever else the machine does only adds time. Calls below 20 ms are timed in "
        "batches of that length. Everything about one circuit is timed in the same rounds.",
        "raw calls: lightning's compiled functions without tapes or gate objects. Gates are "
        "applied one by one to a state that is kept, and then one adjoint call follows. needed "
        "gates: the same without the first CNOTs, which act on |0...0>, and without the last RZ "
        "gates, whose gradient is 0. This engine skips them too, so this is the fastest that a "
        "skilled user could call. state reused: only the adjoint call of all gates, without the "
        "forward pass and the value.",
        "A training step consists of distribution, objective, gradient and Adam, without a report, "
        "with the same trainer for all. For ELBO and SELBO each step has another observable, and "
        "the time that a contender needs to take it is part of the step. The trainer asks for the "
        "distribution first, so QNodes run the circuit twice.",
        "Backprop is left out if there is not enough memory for it.",
        "* computed as the time of one circuit times the number of circuits, which is two for each "
        "angle and one more. All shifted circuits take the same time.",
    )
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the records here, as JSON")
    parser.add_argument("--quick", action="store_true", help="10 qubits, under a minute")
    options = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=130)
    records: list[dict[str, Any]] = []
    for n_qubits in (10,) if options.quick else (10, 14, 18, 20):
        for layers in (1, 4):
            with console.status(f"{n_qubits} qubits, {layers} layers"):
                records += measure(n_qubits, layers, quick=options.quick)
    console.print(table(records))
    console.print(FOOTER, highlight=False)
    if options.out is not None:
        options.out.write_text(json.dumps(records, indent=1) + "\n")


def measure(n_qubits: int, layers: int, *, quick: bool) -> list[dict[str, Any]]:
    """Time all contenders on one circuit, and return the records."""
    ansatz = Ansatz.brickwork(n_qubits, layers)
    rng = np.random.default_rng(n_qubits)
    problem = training.make_problem(n_qubits)
    parameters = rng.uniform(0, 2 * np.pi, ansatz.parameter_shape)
    rounds, seconds = (5, 0.5) if quick else (20, 4.0)
    kinds: list[Any] = [ThisEngine, Adjoint, Raw, RawNeededGates, RawStateReused]
    if Backprop.memory(ansatz) < psutil.virtual_memory().available:
        kinds.append(Backprop)
    contenders = [kind(ansatz) for kind in kinds]
    for contender in contenders:
        contender.fix_observable(problem.nll)
    check(contenders, parameters)

    def gradient_of(contender: Any) -> Any:
        return lambda: contender.value_and_gradient(parameters)

    calls = {(each.name, GRADIENT): gradient_of(each) for each in contenders}
    names: tuple[Name, ...] = ("mle", "elbo", "selbo")
    for kind in kinds:
        if kind is not RawStateReused:
            trained = kind(ansatz)
            for name in names:
                step = training.step(problem, ansatz, trained, name)
                calls[kind.name, f"{name} step"] = step
    times = interleave(calls, rounds=rounds, seconds=seconds)
    best = times[ThisEngine.name, GRADIENT].best
    records = [
        record(ansatz, key, timed, times[ThisEngine.name, key[1]].best)
        for key, timed in times.items()
    ]
    return [*records, shifted(ansatz, problem.nll, parameters, best)]


def check(contenders: list[Any], parameters: Any) -> None:
    """End the program unless all contenders give the same gradient."""
    expected = contenders[0].value_and_gradient(parameters)[1]
    for contender in contenders:
        found = contender.value_and_gradient(parameters)[1]
        if np.abs(found - expected).max() > 1e-9 * np.abs(expected).max():
            raise SystemExit(f"{contender.name} disagrees with {contenders[0].name}")


def record(
    ansatz: Ansatz, key: tuple[str, str], timed: Timed, engine_ms: float, factor: int = 1
) -> dict[str, Any]:
    """One record of the results.

    Args:
        ansatz: the circuit.
        key: the contender, and what was timed.
        timed: the times.
        engine_ms: the time of qhn's engine for the same.
        factor: how many calls like the timed one are needed.
    """
    return {
        "n": ansatz.n_qubits,
        "layers": ansatz.depth,
        "contender": key[0],
        "what": key[1],
        "ms": timed.best * factor,
        "ratio": timed.best * factor / engine_ms,
        "ms_median": timed.median * factor,
        "extrapolated": factor > 1,
    }


def shifted(ansatz: Ansatz, observable: Any, parameters: Any, engine_ms: float) -> dict[str, Any]:
    """The record of parameter shift: timed if that is quick, else computed from one circuit."""
    contender = ParameterShift(ansatz)
    contender.fix_observable(observable)
    in_full = ansatz.n_qubits <= 10
    call: Any = contender.value_and_gradient if in_full else contender.probabilities
    key = contender.name, GRADIENT
    times = interleave({key: lambda: call(parameters)}, rounds=3, seconds=4.0)
    factor = 1 if in_full else 2 * ansatz.n_parameters + 1
    return record(ansatz, key, times[key], engine_ms, factor)


def table(records: list[dict[str, Any]]) -> Table:
    """A table with a row for each circuit and contender, and a column for each thing timed."""
    gradient_ms = {
        (each["n"], each["layers"]): each["ms"]
        for each in records
        if each["contender"] == ThisEngine.name and each["what"] == GRADIENT
    }
    cells: dict[tuple[int, int, str], dict[str, str]] = {}
    for each in records:
        circuit = each["n"], each["layers"]
        star = "*" if each["extrapolated"] else ""
        against = f"{number(each['ratio'])}x"
        if each["contender"] == ThisEngine.name:
            against = f"{each['ms'] / gradient_ms[circuit]:.2f} g"
        text = f"{number(each['ms'])}{star} ({against})"
        cells.setdefault((*circuit, each["contender"]), {})[each["what"]] = text
    columns = list(dict.fromkeys(each["what"] for each in records))
    result = Table(title="Exact simulation of one circuit, ms")
    for column in ("N", "layers", "contender"):
        result.add_column(column)
    for column in columns:
        result.add_column(column, justify="right")
    last = None
    for (n_qubits, layers, contender), row in cells.items():
        if last not in (None, (n_qubits, layers)):
            result.add_section()
        last = (n_qubits, layers)
        result.add_row(str(n_qubits), str(layers), contender, *(row.get(c, "") for c in columns))
    return result


def number(value: float) -> str:
    """A number with three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


if __name__ == "__main__":
    main()
