"""Simulators for Aer and for IBM's fake backends, made from the options of a device."""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error

from qhn.core.errors import InvalidValueError
from qhn.core.noise.depolarising import Depolarising
from qhn.devices.kinds.qiskit import Method

# A trial actor has one core. And the numbers that trajectories draw depend on how many threads
# share them.
_ONE_CORE = {"max_parallel_threads": 1, "max_parallel_experiments": 1, "max_parallel_shots": 1}
# Runs that have drawn the same errors so far share their state: 15 times as fast at 14 qubits. It
# is right for errors that are Paulis alone. With the relaxation that backends' noise models have,
# Aer 0.17 draws wrong outcomes, and others in every process.
# Never use `runtime_parameter_bind_enable` with it: together they kill the process.
_BRANCHING = {
    "shot_branching_enable": True,
    "shot_branching_sampling_enable": True,
    # Gates that are fused with the noise between them leave nothing to branch on.
    "fusion_enable": False,
}
_ROTATIONS, _ENTANGLERS = ["ry", "rz"], ["cx"]


def aer(method: Method, noise: Depolarising | None) -> Any:
    """Aer itself, ideal or with depolarising noise after each RY, RZ and CX."""
    if noise is None or noise == Depolarising(0.0, 0.0):
        return AerSimulator(method=method, **_ONE_CORE)
    branching = _BRANCHING if method == "statevector" else {}
    model = depolarising_model(noise)
    return AerSimulator(method=method, noise_model=model, **_ONE_CORE, **branching)


def depolarising_model(noise: Depolarising) -> Any:
    """The noise model of Aer in which p counts only the Paulis that are not the identity.

    The parameter of ``depolarizing_error`` counts the identity as well; see `Depolarising`.
    """
    model = NoiseModel(basis_gates=[*_ROTATIONS, *_ENTANGLERS])
    # An error of probability 0 would only make each run slower.
    if noise.p1:
        model.add_all_qubit_quantum_error(depolarizing_error(4 / 3 * noise.p1, 1), _ROTATIONS)
    if noise.p2:
        model.add_all_qubit_quantum_error(depolarizing_error(16 / 15 * noise.p2, 2), _ENTANGLERS)
    return model


def fake(name: str, method: Method) -> Any:
    """Aer with the couplings, the gates and the noise model of one of IBM's fake backends.

    Making the noise model takes half a second for 7 qubits, and tens of seconds for 127.

    Raises:
        InvalidValueError: if there is no such backend.
    """
    from qiskit_ibm_runtime.models.exceptions import BackendPropertyError

    backend = fake_backend(name)
    options: dict[str, Any] = {"method": method, **_ONE_CORE}
    # By itself, Aer takes the error of a measurement to be the same for 0 and 1. The properties of
    # the processor have both, and Qiskit Runtime's local mode uses them too. Some backends' lack
    # others that Aer asks for.
    with suppress(BackendPropertyError):
        options["noise_model"] = NoiseModel.from_backend_properties(
            backend.properties(), dt=backend.dt
        )
    return AerSimulator.from_backend(backend, **options)


def fake_backend(name: str) -> Any:
    """One of IBM's fake backends, by the name of its class.

    Raises:
        InvalidValueError: if there is no such backend.
    """
    from qiskit_ibm_runtime import fake_provider

    known = {each: kind for each, kind in vars(fake_provider).items() if _is_backend(kind)}
    if name not in known:
        alike = get_close_matches(name, known, cutoff=0.5) or sorted(known)
        raise InvalidValueError(
            f"a fake backend must be one that qiskit_ibm_runtime has, but got {name!r}; "
            f"it has {', '.join(alike)}, among others"
        )
    return known[name]()


def check_width(backend: str, n_backend: int, n_qubits: int) -> None:
    """Check that a backend has enough qubits for a circuit.

    Raises:
        InvalidValueError: if it has fewer.
    """
    if n_qubits > n_backend:
        raise InvalidValueError(
            f"a circuit must fit on its backend, but {backend} has {n_backend} qubits and the "
            f"circuit {n_qubits}; use a smaller network or a larger backend"
        )


def _is_backend(kind: Any) -> bool:
    return hasattr(kind, "backend_name")
