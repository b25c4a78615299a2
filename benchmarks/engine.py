"""This package's engine beside PennyLane's simulators, one thread each, in one run.

    python benchmarks/engine.py [--out FILE.json] [--quick]

Prints a table; writes records {"n", "layers", "contender", "what", "ms", "ratio"} and, beside
them, "ms_median" (ms is the minimum) and "extrapolated" (time of a few circuits times their
number).
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy is imported
warnings.filterwarnings("ignore")  # of PennyLane about its own future

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
# One line a paragraph: the terminal breaks them.
FOOTER = "\n\n".join(
    (
        "Each cell: milliseconds, and in brackets how many times this engine's (for the engine "
        "itself: how many times its own value and gradient, g). Brickwork circuit with the CNOTs "
        "first, random angles, dense diagonal observable, double precision, one thread each.",
        "Contenders take turns in one process, after a warm-up; ms is the fastest turn, because "
        "whatever else a machine does only adds time. Calls below 20 ms are timed in batches of "
        "that length. Everything about one circuit is timed in the same rounds.",
        "raw calls: lightning's compiled bindings without tapes or gate objects: gates applied one "
        "by one to a state that is kept, then one adjoint call. needed gates: without the first "
        "CNOTs, which meet the state 0, and the last RZ, whose gradient is 0; this engine skips "
        "them too, so this is the fastest that a skilled user could call. state reused: the "
        "adjoint call of all gates alone, without forward pass and value.",
        "Training steps are distribution, objective, gradient and Adam, without a report, through "
        "the same trainer; the observable of ELBO and SELBO is another one at each step, and what "
        "it costs a contender to take it is part of the step. The trainer asks for the "
        "distribution first, so QNodes run the circuit twice.",
        "Backprop is left out where the memory it needs is not there.",
        "* one circuit's time times the number of circuits, two for every angle and one: shifted "
        "circuits are alike.",
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
    """All records of one circuit."""
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
    """All contenders must give the same gradient before any is timed."""
    expected = contenders[0].value_and_gradient(parameters)[1]
    for contender in contenders:
        found = contender.value_and_gradient(parameters)[1]
        if np.abs(found - expected).max() > 1e-9 * np.abs(expected).max():
            raise SystemExit(f"{contender.name} disagrees with {contenders[0].name}")


def record(
    ansatz: Ansatz, key: tuple[str, str], timed: Timed, engine_ms: float, factor: int = 1
) -> dict[str, Any]:
    """One line of the results; ``factor`` is how many calls like the timed one are needed."""
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
    """Parameter shift: in full where that is quick, else one circuit times their number."""
    contender = ParameterShift(ansatz)
    contender.fix_observable(observable)
    in_full = ansatz.n_qubits <= 10
    call: Any = contender.value_and_gradient if in_full else contender.probabilities
    key = contender.name, GRADIENT
    times = interleave({key: lambda: call(parameters)}, rounds=3, seconds=4.0)
    factor = 1 if in_full else 2 * ansatz.n_parameters + 1
    return record(ansatz, key, times[key], engine_ms, factor)


def table(records: list[dict[str, Any]]) -> Table:
    """One row for each circuit and contender, one column for each thing timed."""
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
    """Three digits, and no exponents."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


if __name__ == "__main__":
    main()
