"""What every kind of device has in common before it is opened."""

from __future__ import annotations

from typing import ClassVar, Protocol

from qhn.core.ansatz import Ansatz
from qhn.devices.capabilities import Capabilities
from qhn.devices.handle import DeviceHandle
from qhn.devices.queued import Access


class Device(Protocol):
    """A device as a configuration describes it: a frozen dataclass whose fields are its options.

    Options are part of a trial's identity. So an option that is added later must default to None,
    and None must mean what was done before. Settings that only decide where, when and at what price
    circuits run must not be options.

    Options that several devices have are in `qhn.devices.kinds.options`, and have the same name and
    the same meaning everywhere.

    Attributes:
        kind: the name of the device in sweep files, a key of `qhn.devices.DEVICES`.

    A device may also have a class variable ``shorthand``. It names the option that may follow the
    device's name after a colon, as in ``exact:1024``. A device with a queue has a class variable
    ``access``, the dataclass of the settings that are not options; see `qhn.devices.queued.Access`.

    Further methods are optional:

    * ``reached(access)`` gives the settings with what the options say about the queue, such as the
      name of the processor, and None if the device has no queue with these options. Settings that
      only the device fills in have ``"of_device"`` in the metadata of their field.
    * ``resolved(n_qubits)`` gives the same device with those options filled in that follow from the
      number of qubits. A plan does this, so that they are part of a trial's identity.
    * ``state_bytes(n_qubits)`` gives the memory that its simulator takes for states, in bytes, if
      that is not the exact engine.
    * ``simulations(n_qubits, shots)`` gives how many states of 2^N amplitudes its library simulates
      for one circuit, for the estimate of time. A device whose noise is drawn by our engine has no
      such method.
    * ``check(n_qubits)`` raises an `InvalidValueError` where only the device's library knows that
      it cannot run so many qubits, or that there is no such device. It may import the library, and
      must not reach a network.
    * ``notes(n_qubits)`` gives sentences that a person should read before a circuit of so many
      qubits is run.
    """

    kind: ClassVar[str]

    @property
    def capabilities(self) -> Capabilities:
        """What the device can do with these options."""

    def open(self, ansatz: Ansatz, access: Access | None = None) -> DeviceHandle:
        """Open the device for one circuit. The caller closes the handle.

        Args:
            ansatz: the circuit.
            access: how a device with a queue is reached; None is the default of its kind. Other
                devices take no notice of it.
        """
