"""Quantum hypernetworks: variational circuits whose outcomes are binary neural networks.

The Python API; names load when they are first used, so that ``import qhn`` stays fast.

Example:
    >>> import numpy as np, qhn
    >>> ansatz = qhn.Ansatz.brickwork(n_qubits=3, depth=1)
    >>> qhn.probabilities(ansatz, np.zeros(ansatz.parameter_shape)).tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qhn.core import networks as networks
    from qhn.core import schedules as schedules
    from qhn.core.ansatz import Ansatz as Ansatz
    from qhn.core.datasets import make_dataset as make_dataset
    from qhn.core.engine import Engine as Engine
    from qhn.core.engine import probabilities as probabilities
    from qhn.core.errors import InvalidValueError as InvalidValueError
    from qhn.core.errors import QhnError as QhnError
    from qhn.core.objectives import Objective as Objective
    from qhn.core.optimisers import SGD as SGD
    from qhn.core.optimisers import Adam as Adam
    from qhn.core.problem import build_problem as build_problem
    from qhn.core.tables import loss_table as loss_table
    from qhn.core.training import Trainer as Trainer

_HOMES = {
    "Adam": "qhn.core.optimisers",
    "Ansatz": "qhn.core.ansatz",
    "Engine": "qhn.core.engine",
    "InvalidValueError": "qhn.core.errors",
    "Objective": "qhn.core.objectives",
    "QhnError": "qhn.core.errors",
    "SGD": "qhn.core.optimisers",
    "Trainer": "qhn.core.training",
    "build_problem": "qhn.core.problem",
    "loss_table": "qhn.core.tables",
    "make_dataset": "qhn.core.datasets",
    "networks": "qhn.core.networks",
    "probabilities": "qhn.core.engine",
    "schedules": "qhn.core.schedules",
}

__all__ = sorted(_HOMES)
__version__ = "0.1.0"


if not TYPE_CHECKING:  # to a type checker, every name would be there, and Any

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'qhn' has no attribute {name!r}")
        module = importlib.import_module(_HOMES[name])
        value = module if _HOMES[name].endswith(f".{name}") else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
