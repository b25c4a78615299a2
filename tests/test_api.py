"""The public names, and what importing them must not cost."""

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import qhn

ROOT = Path(qhn.__file__).parent

HEAVY = {
    "botocore",
    "ray",
    "mlflow",
    "pennylane",
    "qiskit",
    "numba",
    "scipy",
    "sklearn",
    "matplotlib",
    "pandas",
}


def test_the_public_names_are_chosen():
    assert qhn.__all__ == [
        "Adam",
        "Ansatz",
        "Engine",
        "InvalidValueError",
        "Objective",
        "QhnError",
        "SGD",
        "Sweep",
        "SweepPlan",
        "SweepSummary",
        "Trainer",
        "Trial",
        "build_problem",
        "load_sweep",
        "load_trial",
        "loss_table",
        "make_dataset",
        "networks",
        "noisy_expectation",
        "probabilities",
        "report",
        "results",
        "schedules",
    ]
    for name in qhn.__all__:
        assert getattr(qhn, name) is not None
        assert name in dir(qhn)


def parameters(function):
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


def test_what_programs_call_keeps_its_arguments():
    needed = inspect.Parameter.empty
    assert parameters(qhn.load_sweep) == {"source": needed}
    assert parameters(qhn.noisy_expectation) == dict.fromkeys(
        ["ansatz", "parameters", "observable", "p1", "p2", "trajectories", "seed"], needed
    )
    assert parameters(qhn.results) == {"name": needed, "store": None}
    assert parameters(qhn.load_trial) == {"trial_id": needed, "store": None}
    assert parameters(qhn.Sweep.run) == {
        "self": needed,
        "store": None,
        "tracking_uri": None,
        "cpus": None,
        "retry_failed": False,
        "progress": True,
        "over_budget": False,
        "address": None,
    }


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("Sweep", {"name", "plan", "run"}),
        ("SweepPlan", {"name", "trials", "groups", "to_frame"}),
        ("SweepSummary", {"to_frame"}),
        (
            "Trial",
            {
                *("status", "flags", "metrics", "top_strings", "history", "angles"),
                *("probabilities", "posterior", "predict"),
            },
        ),
    ],
)
def test_what_programs_hold_keeps_its_names(kind, names):
    held = getattr(qhn, kind)
    assert {name for name in vars(held) if not name.startswith("_")} == names
    assert all(inspect.getdoc(vars(held)[name]) for name in names)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(qhn.__file__).read_text())
    imported = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert sorted(imported) == qhn.__all__


def test_a_trainer_can_be_made_of_the_public_names():
    data = qhn.make_dataset("moons", train=20, test=20)
    problem = qhn.build_problem(data, qhn.networks.mlp(2, 1))
    ansatz = qhn.Ansatz.brickwork(problem.n_qubits, depth=1)
    trainer = qhn.Trainer(
        problem=problem,
        ansatz=ansatz,
        objective=qhn.Objective("selbo", problem.nll, n_points=20),
        schedule=qhn.schedules.Constant(1.0),
        optimiser=qhn.Adam(0.1),
        seed=0,
        steps=5,
        report_every=5,
        best_of=4,
        distribution=qhn.Engine(ansatz),
    )
    while not trainer.finished:
        trainer.advance()
    assert trainer.history.steps == [0, 5]
    assert not trainer.diverged and len(trainer.top_strings(3)) == 3


EXAMPLES = [path for path in sorted(ROOT.rglob("*.py")) if ">>>" in path.read_text()]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_in_docstrings_are_true(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    names = {**vars(module), "np": np}
    found = doctest.testmod(module, extraglobs=names)
    assert found.attempted > 0
    assert found.failed == 0


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        qhn.nothing  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "import qhn",
        "from qhn.cli.app import app",
        "from qhn.sweeps.planning.plan import make_plan; from qhn.sweeps.spec import parse_spec",
    ],
)
def test_light_imports_stay_light(code):
    question = f"import sys; {code}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True
    )
    assert {name.partition(".")[0] for name in loaded.stdout.split()} & HEAVY == set()
