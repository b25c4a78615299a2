"""Compiled code is read from the disk by every process but the first, and loads little else."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

from qhn.core.ansatz import Ansatz
from qhn.core.engine import circuit
from qhn.core.engine.circuit import backward, forward
from qhn.core.engine.engine import Engine
from qhn.core.evaluation import passes
from qhn.core.objectives import divergences
from qhn.core.objectives.objective import Objective
from qhn.core.simd.compiled import _LightCache
from qhn.core.warmup import compile_all

SCRIPT = """
import json, sys
from qhn.core.ansatz import Ansatz
from qhn.core.engine.engine import Engine
from qhn.core.data.datasets import Dataset
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.networks import logistic
from qhn.core.objectives.objective import Objective
from qhn.core.evaluation.problem import build_problem
early = "numba" in sys.modules
import numpy as np

engine = Engine(Ansatz.brickwork(6, 2))
q = engine.probabilities(np.ones((2, 2, 6)))
gradient = engine.gradient(Objective("selbo", np.zeros(64), 1).value_and_observable(q, 1.0)[1])
x, y = np.ones((1, 5)), np.ones(1)
problem = build_problem(Dataset("one point", x, y, x, y), logistic(5))
Evaluator(problem).accuracies(q, 3, np.random.default_rng(0))
from qhn.core.engine import circuit
from qhn.core.evaluation import passes
from qhn.core.objectives import divergences

entries = circuit.forward, circuit.backward, divergences.discrepancy
entries += passes.class_weights, passes.weighted_rows, passes.draw
print(json.dumps({
    "early": early,
    "misses": sum(sum(entry.stats.cache_misses.values()) for entry in entries),
    "registries": "numba.np.arraymath" in sys.modules,
    "gradient": gradient.ravel().tolist(),
}))
"""


def test_a_second_process_compiles_nothing_and_finds_the_same_bits() -> None:
    engine = Engine(Ansatz.brickwork(6, 2))
    q = engine.probabilities(np.ones((2, 2, 6)))
    _, observable = Objective("selbo", np.zeros(64), 1).value_and_observable(q, 1.0)
    gradient = engine.gradient(observable)
    compile_all()

    output = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(output)
    assert not found["early"]  # importing engine, objectives and metrics imports no Numba
    assert found["misses"] == 0
    assert not found["registries"]
    assert found["gradient"] == gradient.ravel().tolist()


COMPILING = """
import sys
from qhn.core.simd.compiled import SOURCES, entry

print("begun", flush=True)
sys.stdin.readline()
function = entry(lambda x: x + 1.0 if SOURCES else x)
assert function(1.0) == 2.0
print(sum(function.stats.cache_misses.values()))
"""


def test_of_processes_that_start_together_one_compiles(tmp_path) -> None:
    program = tmp_path / "program.py"
    program.write_text(COMPILING)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    together = [subprocess.Popen([sys.executable, str(program)], **pipes) for _ in range(4)]
    # All have imported Numba before the first of them compiles.
    assert [process.stdout.readline() for process in together] == ["begun\n"] * 4
    for process in together:
        process.stdin.write("go\n")
        process.stdin.flush()
    misses = [int(process.communicate(timeout=240)[0]) for process in together]
    assert sum(misses) == 1, misses


def test_each_entry_point_is_compiled_for_one_type_of_input() -> None:
    for entangler in ("brickwork", "chain", "ring"):
        for depth in (1, 3):
            for n_qubits in (2, 9):
                ansatz = Ansatz(n_qubits, depth, entangler)
                engine = Engine(ansatz)
                q = engine.probabilities(np.zeros(ansatz.parameter_shape, dtype=np.float32))
                engine.gradient(q)
                engine.gradient(np.arange(q.size))
    assert len(forward.signatures) == len(backward.signatures) == 1


def test_warming_up_leaves_no_entry_point_uncompiled() -> None:
    assert compile_all() > 0
    for module in (circuit, divergences, passes):
        entries = [value for value in vars(module).values() if hasattr(value, "_cache")]
        cached = [value for value in entries if isinstance(value._cache, _LightCache)]
        assert cached
        assert all(value.signatures for value in cached)


NOWHERE = """
import numba.core.caching as caching

def refuse(self):
    raise OSError("read-only file system")

caching._CacheLocator.ensure_cache_path = refuse
import numpy as np
from qhn.core.data.datasets import Dataset
from qhn.core.evaluation import passes
from qhn.core.evaluation.accuracy import Evaluator
from qhn.core.networks import logistic
from qhn.core.evaluation.problem import build_problem

x, y = np.ones((1, 5)), np.ones(1)
problem = build_problem(Dataset("one point", x, y, x, y), logistic(5))
found = Evaluator(problem).accuracies(np.eye(64)[0], 3, np.random.default_rng(0))
print(found["train_accuracy_mode"])
assert not isinstance(passes.draw._cache, caching.FunctionCache)
"""


def test_metrics_need_no_folder_that_can_be_written() -> None:
    output = subprocess.run(
        [sys.executable, "-c", NOWHERE], check=True, capture_output=True, text=True
    ).stdout
    assert output == "0.0\n"
