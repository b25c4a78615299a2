"""The device ``pennylane`` before it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle
from qhn.devices.kinds.options import (
    SampleEstimator,
    Shots,
    as_shots,
    largest_shots,
    set_option,
)
from qhn.devices.queued import Access

#: Runs circuits on a backend of Qiskit, one job for each circuit.
REMOTE = "qiskit.remote"
#: Devices of PennyLane that cannot give the whole distribution.
_ONLY_SAMPLE = (REMOTE, "qiskit.basicsim")
#: Devices whose samples are decided by a seed. Of all others nothing is known.
_SEEDED = ("default.qubit", "default.mixed", "reference.qubit", "qiskit.aer", REMOTE)
#: How many states a simulator keeps at once: the state, those of a gradient, and temporary ones. A
#: gradient by automatic differentiation keeps one for each gate.
_STATE_COPIES, _MIXED_COPIES = 6, 3


@dataclass(frozen=True)
class PennyLane:
    """Any installed device of PennyLane, as a simulator of the whole distribution or by samples.

    Attributes:
        device: the name of the device in PennyLane, such as ``"lightning.qubit"``.
        shots: how many samples each circuit is run for, at every step or by a schedule. None gives
            the whole distribution instead, without any sampling.
        backend: the fake backend of IBM that ``qiskit.remote`` runs, such as ``"FakeNairobiV2"``;
            None for all other devices.
        estimator: how gradients are had from samples. None is the parameter-shift rule, two
            circuits for each angle; ``"spsa"`` takes two circuits in all.

    Raises:
        InvalidValueError: if an option is out of its range, or if this device does not take it.
    """

    kind: ClassVar[str] = "pennylane"
    shorthand: ClassVar[str] = "device"
    device: str = "lightning.qubit"
    shots: Shots | None = None
    backend: str | None = None
    estimator: SampleEstimator | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.device, str) or not self.device:
            raise InvalidValueError(
                f"a pennylane device must be named, as in lightning.qubit, but got {self.device!r}"
            )
        if self.shots is not None:
            set_option(self, "shots", as_shots(self.shots))
            if self.device == "default.tensor":
                raise InvalidValueError(
                    "a device with shots must be able to sample, but got shots for default.tensor, "
                    "which cannot; leave the shots out, or use lightning.qubit"
                )
        elif self.estimator is not None:
            raise InvalidValueError(
                f"an estimator needs samples, but got estimator={self.estimator!r} without "
                "shots; give shots too, or leave it out"
            )
        elif self.device in _ONLY_SAMPLE:
            raise InvalidValueError(
                f"{self.device} only samples, so that it needs shots, but got none; give shots"
            )
        if self.device == REMOTE:
            self._check_backend()
        elif self.backend is not None:
            raise InvalidValueError(
                f"a backend belongs to {REMOTE}, but got one for {self.device}; leave it out"
            )

    def _check_backend(self) -> None:
        # Each circuit would be one paid job, which no lane and no ledger knows of.
        if not isinstance(self.backend, str) or not self.backend.startswith("Fake"):
            raise InvalidValueError(
                f"{REMOTE} needs a fake backend such as FakeNairobiV2, but got {self.backend!r}; "
                "for processors, use the device qiskit"
            )

    @property
    def capabilities(self) -> Capabilities:
        """The whole distribution, or samples. Interrupted work is computed again, at no cost."""
        seeded = self.device in _SEEDED or self.device.startswith("lightning.")
        return Capabilities(
            distribution=self.shots is None,
            samples=self.shots is not None,
            log_q=False,
            reproducible=self.shots is None or seeded,
            queued=False,
            submission="idempotent",
            shots=None if self.shots is None else largest_shots(self.shots),
        )

    def state_bytes(self, n_qubits: int) -> int:
        """The memory that the simulator takes for the state of a circuit, in bytes."""
        if self.device == "default.mixed":
            return _MIXED_COPIES * 16 << 2 * n_qubits
        return _STATE_COPIES * 16 << n_qubits

    def check(self, n_qubits: int) -> None:
        """See `Device`.

        Raises:
            InvalidValueError: if PennyLane has no such device, or if it has too few qubits.
        """
        from qhn.devices.pennylane.making import check_installed

        check_installed(self.device, self.backend, n_qubits)

    def open(self, ansatz: Ansatz, access: Access | None = None) -> DeviceHandle:
        """See `Device.open`.

        Raises:
            InvalidValueError: if PennyLane has no such device, or if it cannot run the circuit.
        """
        # Importing PennyLane takes more than a second, which a plan must not wait for.
        if self.shots is None:
            from qhn.devices.pennylane.whole import PennyLaneHandle

            return PennyLaneHandle(self, ansatz)
        from qhn.devices.pennylane.sampling import PennyLaneSamplerHandle

        return PennyLaneSamplerHandle(self, ansatz)
