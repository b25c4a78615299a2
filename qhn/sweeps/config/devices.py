"""The devices that a configuration may name: those of `qhn.devices`, with their options.

Which model a device has is looked up in the registry when a configuration is read, so that a
device that is registered later, by a plugin or a test, can be configured like any other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeAlias, get_type_hints

from pydantic import BeforeValidator, SerializeAsAny, ValidationInfo, model_validator
from pydantic_core import PydanticKnownError

from qhn.core.ansatz import Ansatz
from qhn.core.errors import InvalidValueError
from qhn.devices import DEVICES, Capabilities, Device, DeviceHandle, make_device
from qhn.devices.kinds import Exact
from qhn.sweeps.config.part import Part, broken_rule, part_of


def _known(name: Any) -> Any:
    if isinstance(name, str) and name in DEVICES:
        return name
    expected = " or ".join(repr(known) for known in DEVICES)
    raise PydanticKnownError("literal_error", {"expected": expected})


class DeviceConfig(Part):
    """Where circuits run; the model of each device has the options of that device besides."""

    name: Annotated[str, BeforeValidator(_known)]

    def build(self) -> Device:
        """The device itself, not opened."""
        return make_device(self.name, **self.model_dump(exclude={"name"}))

    @property
    def capabilities(self) -> Capabilities:
        """What the device can do; nothing is opened for it."""
        return self.build().capabilities

    def open(self, ansatz: Ansatz) -> DeviceHandle:
        """An open handle for one circuit, which the caller closes."""
        return self.build().open(ansatz)


def _check_options(config: DeviceConfig, info: ValidationInfo) -> DeviceConfig:
    # Ranges of options are the device's own rules, and its own words say best what is wrong.
    try:
        config.build()
    except InvalidValueError as error:
        raise broken_rule(str(error)) from None
    return config


@cache
def _model(kind: str, described: type[Device]) -> type[DeviceConfig]:
    device: Any = described
    hints = get_type_hints(device)
    types = {field.name: hints[field.name] for field in dataclasses.fields(device)}
    validators = {"check_options": model_validator(mode="after")(_check_options)}
    return part_of(device, DeviceConfig, ("name", kind), types, validators)


def device_config(content: Mapping[str, Any]) -> DeviceConfig:
    """The configuration of a device from its name and options; without a name it is ``exact``.

    Raises:
        ValidationError: if there is no such device, or an option is wrong.

    Example:
        >>> device_config({}).capabilities.distribution
        True
    """
    name = content.get("name", Exact.kind)
    if not isinstance(name, str) or name not in DEVICES:
        # Reports the unknown name as any model reports its fields.
        return DeviceConfig.model_validate(content)
    return _model(name, DEVICES[name]).model_validate(content)


AnyDevice: TypeAlias = Annotated[
    # Written out as the model that it is; by its base class its options would be left out.
    SerializeAsAny[DeviceConfig],
    BeforeValidator(lambda value: device_config(value) if isinstance(value, dict) else value),
]


def unsupported(objective: str, device: DeviceConfig) -> str | None:
    """Why an objective cannot be trained on a device, None if it can.

    The KL divergence of the ELBO holds the entropy of q_θ, an average of log q_θ(σ), which samples
    alone do not tell: with fewer shots than outcomes most of them are seen once or never.
    """
    if objective == "elbo" and not device.capabilities.tells_probabilities:
        return (
            f"elbo needs a device that tells probabilities, but {device.name} only samples; "
            "use selbo, or another device"
        )
    return None
