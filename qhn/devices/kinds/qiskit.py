"""The device ``qiskit`` before it is opened: Aer, IBM's fake backends, and IBM's processors."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.noise.depolarising import Depolarising
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle
from qhn.devices.kinds.options import (
    SampleEstimator,
    Shots,
    as_noise,
    as_shots,
    largest_shots,
    set_option,
)
from qhn.devices.qiskit.access import RuntimeAccess
from qhn.devices.queued import Access

#: How Aer simulates a circuit: the state, the density matrix, or matrix product states. With noise
#: the first and the last draw one trajectory for each shot, and the second one is exact.
Method = Literal["statevector", "density_matrix", "matrix_product_state"]
#: Up to this number of qubits noise is simulated by density matrices. They take 2.4 s for a
#: gradient at 9 qubits and 12 s at 10, where 256 trajectories take 2.0 and 2.3 s.
_DENSE_QUBITS = 9
#: A density matrix of 13 qubits takes 1 GiB, one of 14 takes 4 GiB.
_MOST_DENSE_QUBITS = 13
#: A state of more qubits takes more than 256 MiB, and time in proportion.
_STATE_QUBITS = 24
#: From this number of qubits on a plan warns of noisy simulation.
_SLOW_QUBITS = 12

_FAKE = re.compile(r"Fake\w+")
# As IBM names its processors, for example ibm_torino.
_PROCESSOR = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Qiskit:
    """Samples from Qiskit: its simulator Aer, a fake backend of IBM on Aer, or an IBM processor.

    Attributes:
        backend: ``"aer"``, the name of a fake backend such as ``"FakeNairobiV2"``, which is Aer
            with the gates, couplings and noise of a processor, or the name of an IBM processor such
            as ``"ibm_torino"``.
        shots: how many samples each circuit is run for, at every step or by a schedule.
        noise: depolarising noise after each gate, for ``"aer"`` alone.
        method: how Aer simulates. None chooses by the number of qubits, and whether there is
            noise; see `resolved`.
        estimator: how gradients are had from samples. None is the parameter-shift rule, two
            circuits for each angle; ``"spsa"`` takes two circuits in all.

    Raises:
        InvalidValueError: if an option is out of its range, or if this backend does not take it.
    """

    kind: ClassVar[str] = "qiskit"
    shorthand: ClassVar[str] = "backend"
    access: ClassVar[type[RuntimeAccess]] = RuntimeAccess
    backend: str = "aer"
    shots: Shots = 1024
    noise: Depolarising | None = None
    method: Method | None = None
    estimator: SampleEstimator | None = None

    def __post_init__(self) -> None:
        set_option(self, "shots", as_shots(self.shots))
        set_option(self, "noise", as_noise(self.noise))
        if not (isinstance(self.backend, str) and (self.simulated or self.queued)):
            raise InvalidValueError(
                "a qiskit backend must be aer, a fake backend such as FakeNairobiV2, or an IBM "
                f"processor such as ibm_torino, but got {self.backend!r}"
            )
        if self.noise is not None and self.backend != "aer":
            which = "the noise of its processor" if self.simulated else "noise of its own"
            raise InvalidValueError(
                f"noise may be chosen for the backend aer alone, but got it for {self.backend}, "
                f"which has {which}; leave it out"
            )
        if self.method is not None:
            if self.queued:
                raise InvalidValueError(
                    f"a method belongs to a simulator, but {self.backend} is a processor; "
                    "leave it out"
                )
            if self.method not in get_args(Method):
                raise InvalidValueError(
                    f"a method must be one of {', '.join(get_args(Method))}, "
                    f"but got {self.method!r}"
                )

    @property
    def simulated(self) -> bool:
        """Whether Aer runs the circuits, on this machine."""
        return self.backend == "aer" or bool(_FAKE.fullmatch(self.backend))

    @property
    def queued(self) -> bool:
        """Whether an IBM processor runs the circuits."""
        return self.backend != "aer" and bool(_PROCESSOR.fullmatch(self.backend))

    @property
    def capabilities(self) -> Capabilities:
        """Samples: reproducible ones of a simulator, or those of jobs that are found by a tag."""
        return Capabilities(
            distribution=False,
            samples=True,
            log_q=False,
            reproducible=self.simulated,
            queued=self.queued,
            submission="findable" if self.queued else "idempotent",
            shots=largest_shots(self.shots),
        )

    def resolved(self, n_qubits: int) -> Qiskit:
        """The same device with its method filled in, which decides the numbers of a trial.

        Args:
            n_qubits: how many qubits the circuit has.

        Raises:
            InvalidValueError: if the method cannot simulate so many qubits.
        """
        if self.method == "density_matrix" and n_qubits > _MOST_DENSE_QUBITS:
            raise InvalidValueError(
                f"method density_matrix takes at most {_MOST_DENSE_QUBITS} qubits, because its "
                f"memory grows fourfold with each, but the circuit has {n_qubits}; leave the "
                "method out"
            )
        if self.method is not None or self.queued:
            return self
        method: Method = "statevector"
        if n_qubits > _STATE_QUBITS:
            method = "matrix_product_state"
        elif self._noisy and n_qubits <= _DENSE_QUBITS:
            method = "density_matrix"
        return dataclasses.replace(self, method=method)

    def state_bytes(self, n_qubits: int) -> int:
        """The memory that Aer takes for the states of one circuit, in bytes."""
        method = None if self.queued else self.resolved(n_qubits).method
        if method == "density_matrix":
            return 32 << 2 * n_qubits
        # A matrix product state grows with its entanglement, which nobody knows beforehand.
        return 32 << n_qubits if method == "statevector" else 0

    def simulations(self, n_qubits: int, shots: float) -> float:
        """How many states of 2^N amplitudes Aer simulates for one circuit with so many shots.

        A density matrix is as large as 2^N of them, and all shots are drawn from it. The other
        methods simulate noise shot by shot.
        """
        if self.queued:
            return 1.0
        if self.resolved(n_qubits).method == "density_matrix":
            return 2.0**n_qubits
        return max(1.0, shots) if self._noisy else 1.0

    @property
    def _noisy(self) -> bool:
        return self.noise is not None or self.backend != "aer"

    def check(self, n_qubits: int) -> None:
        """See `Device`.

        Raises:
            InvalidValueError: if there is no such fake backend, or if it has too few qubits.
        """
        self.resolved(n_qubits)
        if self.simulated and self.backend != "aer":
            from qhn.devices.qiskit.simulator import check_width, fake_backend

            check_width(self.backend, fake_backend(self.backend).num_qubits, n_qubits)

    def notes(self, n_qubits: int) -> tuple[str, ...]:
        """What a person should know before a circuit of so many qubits is run on this device."""
        if self.queued:
            return (f"{self.backend} is a processor of IBM: its jobs wait in a queue and are paid",)
        method = self.resolved(n_qubits).method
        said = [f"{self.backend} simulates {n_qubits} qubits with method {method}"]
        if n_qubits >= _SLOW_QUBITS:
            if self.backend != "aer":
                said.append(
                    f"{self.backend} is slow on {n_qubits} qubits: on 14 a gradient of 256 shots "
                    "takes about 160 seconds"
                )
            elif self.noise is not None:
                said.append(
                    f"noise on {n_qubits} qubits is slow on aer: on 14 a gradient of 256 shots "
                    "takes about 10 seconds; the device exact takes noise as well, and is far "
                    "faster"
                )
        return tuple(said)

    def reached(self, access: RuntimeAccess) -> RuntimeAccess | None:
        """How this device is reached with some settings; None for a simulator, which has no queue.

        Raises:
            InvalidValueError: if there are settings for a simulator.
        """
        if self.queued:
            return access.of(self.backend)
        if access != RuntimeAccess():
            raise InvalidValueError(
                "instance, account and plan are for processors of IBM, but got one of them for "
                f"{self.backend}, which is simulated; leave them out"
            )
        return None

    def open(self, ansatz: Ansatz, access: Access | None = None) -> DeviceHandle:
        """See `Device.open`.

        Raises:
            InvalidValueError: if there is no such backend, or if it has too few qubits.
            DeviceError: if a processor cannot be reached.
        """
        settings = RuntimeAccess() if access is None else access
        if not isinstance(settings, RuntimeAccess):
            raise InvalidValueError(
                "the device qiskit must be opened with a RuntimeAccess, "
                f"but got {type(settings).__name__}"
            )
        # Importing Qiskit takes most of a second, which a plan must not wait for.
        if self.queued:
            from qhn.devices.qiskit.runtime import RuntimeHandle

            return RuntimeHandle(self, ansatz, settings)
        from qhn.devices.qiskit.aer import AerHandle

        return AerHandle(self.resolved(ansatz.n_qubits), ansatz)
