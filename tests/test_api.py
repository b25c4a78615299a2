"""The public names, and what importing them must not cost."""

import subprocess
import sys

import pytest

import qhn

HEAVY = {"ray", "mlflow", "pennylane", "numba", "scipy", "sklearn", "matplotlib", "pandas"}


def test_the_public_names_are_chosen():
    assert qhn.__all__ == [
        "Ansatz",
        "Engine",
        "QhnError",
        "Trainer",
        "build_problem",
        "loss_table",
        "make_dataset",
        "networks",
        "probabilities",
    ]
    for name in qhn.__all__:
        assert getattr(qhn, name) is not None
        assert name in dir(qhn)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        qhn.nothing  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "import qhn",
        "from qhn.cli.app import app",
        "from qhn.sweeps.plan import make_plan; from qhn.sweeps.spec import parse_spec",
    ],
)
def test_light_imports_stay_light(code):
    question = f"import sys; {code}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True
    )
    assert {name.partition(".")[0] for name in loaded.stdout.split()} & HEAVY == set()
