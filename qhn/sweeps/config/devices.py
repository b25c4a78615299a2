"""The configuration of devices: one model for each device of `qhn.devices`, with its options.

The model is looked up in the registry of devices when a configuration is read. So a device that is
registered later, by a plugin or a test, can be configured like all others.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Annotated, Any, TypeAlias, get_type_hints

from pydantic import (
    BeforeValidator,
    GetJsonSchemaHandler,
    SerializeAsAny,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.core.noise.depolarising import Depolarising
from qhn.core.objectives.controllers import CONTROLLERS
from qhn.devices import DEVICES, Capabilities, Device, DeviceHandle, make_device
from qhn.devices.kinds import Exact
from qhn.devices.kinds.options import Shots, smallest_shots
from qhn.sweeps.config.options import OPTION_TYPES
from qhn.sweeps.config.part import Part, broken_rule, part_of

# How many arrays of 2^N doubles are reserved for the engine of a device that only samples.
_ENGINE_ARRAYS = 7
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")


def known_device(name: Any) -> Any:
    """The name of a device of the registry as it is. For any other, pydantic's error for words."""
    if isinstance(name, str) and name in DEVICES:
        return name
    expected = " or ".join(repr(known) for known in DEVICES)
    # The error that pydantic raises for a `Literal`. A type cannot be used here, because it would
    # list the devices of the moment in which this module was imported.
    raise PydanticKnownError("literal_error", {"expected": expected})


class DeviceConfig(Part):
    """The device that runs the circuits. The model of each device adds its own options."""

    name: Annotated[str, BeforeValidator(known_device)]

    def build(self) -> Device:
        """Make the device, without opening it."""
        return _built(self)

    @property
    def capabilities(self) -> Capabilities:
        """What the device can do. It is not opened for this."""
        return self.build().capabilities

    @property
    def step_shots(self) -> Shots | None:
        """How many samples each circuit is run for, the same at every step or by a schedule.

        None for a device that does not sample. `qhn.core.estimators.shots` has functions for the
        shots of a step, the largest number and the sum over a training.
        """
        shots: Shots | None = getattr(self.build(), "shots", None)
        return self.capabilities.shots if shots is None else shots

    def state_bytes(self, n_qubits: int) -> int:
        """The memory that the device itself takes for states of a circuit, in bytes."""
        device: Any = self.build()
        if hasattr(device, "state_bytes"):
            return int(device.state_bytes(n_qubits))
        # The exact engine keeps two states, their distribution and some scratch space.
        return 8 * _ENGINE_ARRAYS << n_qubits

    def own_bytes(self, n_qubits: int) -> int:
        """The memory that a library takes for states of a circuit; 0 where it is the engine."""
        device: Any = self.build()
        return int(device.state_bytes(n_qubits)) if hasattr(device, "state_bytes") else 0

    def check(self, n_qubits: int) -> None:
        """Check what only the library of a device knows. Devices with a queue are not reached.

        Raises:
            InvalidValueError: if there is no such device, or if it has too few qubits.
        """
        device: Any = self.build()
        if hasattr(device, "check"):
            device.check(n_qubits)

    @property
    def drawn_noise(self) -> Depolarising | None:
        """The noise whose errors our engine draws for each trajectory; None if there is none.

        A library that simulates noise by itself says what that takes; see `simulations` and
        `state_bytes` of its device.
        """
        device: Any = self.build()
        noise: Depolarising | None = getattr(device, "noise", None)
        return None if hasattr(device, "simulations") else noise

    def simulations(self, depth: int, n_qubits: int, shots: float) -> float:
        """How many states of 2^N amplitudes are simulated on average for one circuit; at least 1.

        Args:
            depth: the number of layers.
            n_qubits: N.
            shots: the samples of the circuit; not used if the device averages trajectories.
        """
        device: Any = self.build()
        if hasattr(device, "simulations"):
            return float(device.simulations(n_qubits, shots))
        noise = self.drawn_noise
        if noise is None:
            return 1.0
        trajectories = self.capabilities.trajectories or shots
        # All entanglers have at most one CNOT for each qubit in each layer. Trajectories without an
        # error share one pattern of signs, and nearly all others have one of their own where errors
        # are many. Each pattern is simulated once.
        without = ((1.0 - noise.p1) ** 2 * (1.0 - noise.p2)) ** (depth * n_qubits)
        return max(1.0, min(trajectories, 1.0 + trajectories * (1.0 - float(without))))

    @property
    def sample_estimator(self) -> str:
        """How gradients are had from samples: ``shift`` or ``spsa``."""
        return getattr(self.build(), "estimator", None) or "shift"

    @property
    def title(self) -> str:
        """The device as people read it: its name, and its options that are not the default."""
        device: Any = self.build()
        parts = [self.name]
        for field in dataclasses.fields(device):
            value = getattr(device, field.name)
            if value != field.default:
                parts.append(f"{field.name}={value}")
        return " ".join(parts)

    def resolved(self, n_qubits: int) -> DeviceConfig:
        """The same device with the options filled in that follow from the number of qubits.

        Raises:
            InvalidValueError: if the device cannot run so many qubits.
        """
        device: Any = self.build()
        if not hasattr(device, "resolved"):
            return self
        made = device.resolved(n_qubits)
        names = [field.name for field in dataclasses.fields(device)]
        changed = {n: getattr(made, n) for n in names if getattr(made, n) != getattr(device, n)}
        return self.model_copy(update=changed) if changed else self

    def notes(self, n_qubits: int) -> tuple[str, ...]:
        """What a person should know before a circuit of so many qubits is run on the device."""
        device: Any = self.build()
        return tuple(device.notes(n_qubits)) if hasattr(device, "notes") else ()

    def open(self, ansatz: Ansatz) -> DeviceHandle:
        """Open the device for one circuit. The caller closes the handle."""
        return self.build().open(ansatz)


@lru_cache(maxsize=256)
def _built(config: DeviceConfig) -> Device:
    # A sweep has thousands of trials and a few devices, each of which is asked for many times.
    return make_device(config.name, **config.model_dump(exclude={"name"}))


def _check_options(config: DeviceConfig, info: ValidationInfo) -> DeviceConfig:
    # The device itself checks the ranges of its options, and its message says best what is wrong.
    try:
        config.build()
    except InvalidValueError as error:
        raise broken_rule(str(error)) from None
    return config


@cache
def _model(kind: str, described: type[Device]) -> type[DeviceConfig]:
    device: Any = described
    # The dataclass has its types as text (`from __future__ import annotations`); pydantic needs the
    # types themselves.
    hints = get_type_hints(device)
    names = [field.name for field in dataclasses.fields(device)]
    types = {name: OPTION_TYPES.get(name, hints[name]) for name in names}
    validators = {"check_options": model_validator(mode="after")(_check_options)}
    return part_of(device, DeviceConfig, ("name", kind), types, validators)


def device_config(content: Mapping[str, Any]) -> DeviceConfig:
    """Read the configuration of a device from its name and options. The default name is ``exact``.

    Raises:
        ValidationError: if there is no such device, or if an option is wrong.

    Example:
        >>> device_config({}).capabilities.distribution
        True
    """
    name = content.get("name", Exact.kind)
    if not isinstance(name, str) or name not in DEVICES:
        # This raises the error for an unknown name in the same form as all errors of models.
        return DeviceConfig.model_validate(content)
    return _model(name, DEVICES[name]).model_validate(content)


def device_from_word(word: str) -> dict[str, Any]:
    """The mapping that a word stands for: ``exact``, or ``exact:1024`` with its option.

    A device says itself which of its options may follow the colon. What cannot be understood is
    left as a name, which no device has.

    Example:
        >>> device_from_word("exact:1024")
        {'name': 'exact', 'shots': 1024}
    """
    name, colon, text = word.partition(":")
    option = getattr(DEVICES.get(name), "shorthand", None)
    if not colon or option is None:
        return {"name": word}
    # A whole number is read as such, as in YAML. Whether it may be one is checked with the option.
    value = int(text) if _WHOLE_NUMBER.fullmatch(text) else text
    return {"name": name, option: value}


def short_forms() -> list[str]:
    """The names of all devices that may have an option after a colon."""
    return [name for name, device in DEVICES.items() if getattr(device, "shorthand", None)]


def device_models() -> dict[str, type[DeviceConfig]]:
    """The model of each device of the registry, by the name of the device."""
    return {kind: _model(kind, described) for kind, described in DEVICES.items()}


class _OfRegistry:
    """Tells the JSON schema of a device which there are, each with its own options."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A schema for each device of the registry; pydantic calls this."""
        models = device_models().values()
        return {"anyOf": [handler(model.__pydantic_core_schema__) for model in models]}


AnyDevice: TypeAlias = Annotated[
    # Without this annotation pydantic would write only the fields of the base class, and leave out
    # the options of the device.
    SerializeAsAny[DeviceConfig],
    BeforeValidator(lambda value: device_config(value) if isinstance(value, dict) else value),
    _OfRegistry(),
]


_DIVERGENCES = {"elbo": "KL divergence", "kale": "KALE"}


def unsteered(lambda_: Any, device: DeviceConfig) -> str | None:
    """The reason why λ cannot be set by this on a device; None if it can.

    Args:
        lambda_: the schedule or controller of λ; None for an objective without λ.
        device: the device.
    """
    controller = CONTROLLERS.get(getattr(lambda_, "schedule", ""))
    if controller is None or not controller.needs_distribution:
        return None
    if device.capabilities.tells_probabilities:
        return None
    return (
        f"λ by {controller.kind} needs a device that gives probabilities, but got {device.title}; "
        "use plateau, or a schedule"
    )


def unsupported(objective: str, device: DeviceConfig) -> str | None:
    """The reason why an objective cannot be trained on a device; None if it can.

    The KL divergence of the ELBO contains the entropy of q_θ, which is an average of log q_θ(σ).
    Samples alone cannot give it: with fewer shots than outcomes, most outcomes are seen once or
    never. The divergences of an average over trajectories are not those of the noisy distribution
    either.
    """
    found = device.capabilities
    # KALE can be had from samples, with a bias that falls with their number.
    estimated = objective == "kale" and found.samples
    if objective in _DIVERGENCES and not found.tells_probabilities and not estimated:
        what, way_out = device.name, "another device"
        if device.name == Exact.kind and found.samples:
            what, way_out = f"{device.name} with shots", "leave out its shots"
            if getattr(device, "noise", None) is not None:
                way_out += " and its noise"
        if found.samples:
            return (
                f"{objective} needs a device that gives probabilities, but {what} only samples; "
                f"use selbo, or {way_out}"
            )
        return (
            f"{objective} needs a device that gives probabilities, but {device.name} with noise "
            f"only gives averages over trajectories, and the {_DIVERGENCES[objective]} of an "
            "average is biased; "
            "use selbo, or leave out its noise"
        )
    if objective == "selbo":
        shots = device.step_shots
        if shots is not None and smallest_shots(shots) == 1:
            # The MMD² compares different samples of one circuit with each other.
            return f"selbo needs at least 2 shots, but got {device.title}; use more shots, or mle"
    return None
