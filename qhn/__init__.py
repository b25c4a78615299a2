"""Quantum hypernetworks: variational circuits whose outcomes are binary neural networks.

This is the Python interface. A name is imported when it is first used, so that ``import qhn`` is
fast.

Example:
    >>> import numpy as np, qhn
    >>> ansatz = qhn.Ansatz.brickwork(n_qubits=3, depth=1)
    >>> qhn.probabilities(ansatz, np.zeros(ansatz.parameter_shape)).tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from qhn.version import VERSION

if TYPE_CHECKING:
    from qhn.api.report import report as report
    from qhn.api.results import results as results
    from qhn.api.summary import SweepSummary as SweepSummary
    from qhn.api.sweep import Sweep as Sweep
    from qhn.api.sweep import SweepPlan as SweepPlan
    from qhn.api.sweep import load_sweep as load_sweep
    from qhn.api.trial import Trial as Trial
    from qhn.api.trial import load_trial as load_trial
    from qhn.core import networks as networks
    from qhn.core.ansatz import Ansatz as Ansatz
    from qhn.core.data.datasets import make_dataset as make_dataset
    from qhn.core.engine.engine import Engine as Engine
    from qhn.core.engine.engine import probabilities as probabilities
    from qhn.core.errors import InvalidValueError as InvalidValueError
    from qhn.core.errors import QhnError as QhnError
    from qhn.core.evaluation.loss_table import loss_table as loss_table
    from qhn.core.evaluation.problem import build_problem as build_problem
    from qhn.core.noise.expectation import noisy_expectation as noisy_expectation
    from qhn.core.objectives import schedules as schedules
    from qhn.core.objectives.objective import Objective as Objective
    from qhn.core.training.optimisers import SGD as SGD
    from qhn.core.training.optimisers import Adam as Adam
    from qhn.core.training.trainer import Trainer as Trainer

_HOMES = {
    "Adam": "qhn.core.training.optimisers",
    "Ansatz": "qhn.core.ansatz",
    "Engine": "qhn.core.engine.engine",
    "InvalidValueError": "qhn.core.errors",
    "Objective": "qhn.core.objectives.objective",
    "QhnError": "qhn.core.errors",
    "SGD": "qhn.core.training.optimisers",
    "Sweep": "qhn.api.sweep",
    "SweepPlan": "qhn.api.sweep",
    "SweepSummary": "qhn.api.summary",
    "Trainer": "qhn.core.training.trainer",
    "Trial": "qhn.api.trial",
    "build_problem": "qhn.core.evaluation.problem",
    "load_sweep": "qhn.api.sweep",
    "load_trial": "qhn.api.trial",
    "loss_table": "qhn.core.evaluation.loss_table",
    "make_dataset": "qhn.core.data.datasets",
    "networks": "qhn.core.networks",
    "noisy_expectation": "qhn.core.noise.expectation",
    "probabilities": "qhn.core.engine.engine",
    "report": "qhn.api.report",
    "results": "qhn.api.results",
    "schedules": "qhn.core.objectives.schedules",
}

__all__ = sorted(_HOMES)
__version__ = VERSION


# A type checker must not see this function, or it would accept any name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'qhn' has no attribute {name!r}")
        module = importlib.import_module(_HOMES[name])
        # `networks` and `schedules` are modules: they are not in their home, but are the home.
        value = getattr(module, name, module)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    # Completion offers the public names, and not what this module has imported for itself.
    return [*(name for name in globals() if name.startswith("__")), *__all__]
