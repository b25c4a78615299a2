"""The configuration of devices: one model for each device of `qhn.devices`, with its options.

The model is looked up in the registry of devices when a configuration is read. So a device that is
registered later, by a plugin or a test, can be configured like all others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
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
from qhn.devices import DEVICES, Capabilities, Device, DeviceHandle, make_device
from qhn.devices.kinds import Exact
from qhn.sweeps.config.part import Part, broken_rule, part_of


def _known(name: Any) -> Any:
    if isinstance(name, str) and name in DEVICES:
        return name
    expected = " or ".join(repr(known) for known in DEVICES)
    # The error that pydantic raises for a `Literal`. A type cannot be used here, because it would
    # list the devices of the moment in which this module was imported.
    raise PydanticKnownError("literal_error", {"expected": expected})


class DeviceConfig(Part):
    """The device that runs the circuits. The model of each device adds its own options."""

    name: Annotated[str, BeforeValidator(_known)]

    def build(self) -> Device:
        """Make the device, without opening it."""
        return make_device(self.name, **self.model_dump(exclude={"name"}))

    @property
    def capabilities(self) -> Capabilities:
        """What the device can do. It is not opened for this."""
        return self.build().capabilities

    def open(self, ansatz: Ansatz) -> DeviceHandle:
        """Open the device for one circuit. The caller closes the handle."""
        return self.build().open(ansatz)


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
    types = {field.name: hints[field.name] for field in dataclasses.fields(device)}
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


class _OfRegistry:
    """Tells the JSON schema of a device which there are, each with its own options."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A schema for each device of the registry; pydantic calls this."""
        models = [_model(kind, described) for kind, described in DEVICES.items()]
        return {"anyOf": [handler(model.__pydantic_core_schema__) for model in models]}


AnyDevice: TypeAlias = Annotated[
    # Without this annotation pydantic would write only the fields of the base class, and leave out
    # the options of the device.
    SerializeAsAny[DeviceConfig],
    BeforeValidator(lambda value: device_config(value) if isinstance(value, dict) else value),
    _OfRegistry(),
]


def unsupported(objective: str, device: DeviceConfig) -> str | None:
    """The reason why an objective cannot be trained on a device; None if it can.

    The KL divergence of the ELBO contains the entropy of q_θ, which is an average of log q_θ(σ).
    Samples alone cannot give it: with fewer shots than outcomes, most outcomes are seen once or
    never.
    """
    if objective == "elbo" and not device.capabilities.tells_probabilities:
        return (
            f"elbo needs a device that gives probabilities, but {device.name} only samples; "
            "use selbo, or another device"
        )
    return None
