"""Devices in sweep files: their options, how they are reached, and a label.

Only the options belong to a trial. How a queued device is reached, and what it is called in a file,
decide no numbers, so they stay outside `DeviceConfig` and change no trial id.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeAlias, get_type_hints

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    SerializeAsAny,
    create_model,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from qhn.core.errors import InvalidValueError
from qhn.devices import DEVICES, make_device
from qhn.devices.queued import Access
from qhn.sweeps.config.devices import (
    DeviceConfig,
    device_config,
    device_models,
    known_device,
)
from qhn.sweeps.config.part import Part, broken_rule

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")


def _check_label(label: Any) -> Any:
    # Labels become parts of the names of queues, which are folders and names of processes.
    if isinstance(label, str) and not _LABEL.fullmatch(label):
        raise broken_rule(
            "must be letters, digits and '-', at most 40 of them, and not begin with '-', "
            f"but got {ascii(label)[:60]}"
        )
    return label


#: The label of a device, or the name of a lane.
Label: TypeAlias = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{_LABEL.pattern}$"}),
    BeforeValidator(_check_label),
]


class DeviceSpec(Part):
    """One entry of ``devices``. The model of each device adds its options and its settings."""

    name: Annotated[str, BeforeValidator(known_device)]
    label: Label | None = None

    @property
    def config(self) -> DeviceConfig:
        """The device with its options, as it is part of a trial."""
        options = device_models()[self.name].model_fields
        return device_config({key: getattr(self, key) for key in options})

    @property
    def access(self) -> Access | None:
        """How the device is reached; None for one that has no queue."""
        settings = _settings_of(self.name)
        if settings is None or not self.config.capabilities.queued:
            return None
        made: Access = settings(**{name: getattr(self, name) for name in _names(settings)})
        # Of one kind, some devices may have a queue and others none, depending on their options.
        reached = getattr(self.config.build(), "reached", None)
        found: Access | None = made if reached is None else reached(made)
        return found

    @property
    def key(self) -> str:
        """What lanes call the device: its label, or its name if it has none."""
        return self.label or self.name


def _settings_of(kind: str) -> Any:
    """The dataclass of settings with which a device is reached; None if it has no queue."""
    return getattr(DEVICES[kind], "access", None)


def _said(settings: Any) -> list[dataclasses.Field[Any]]:
    """The settings that a file may have. A device fills in the rest by itself."""
    return [field for field in dataclasses.fields(settings) if "of_device" not in field.metadata]


def _names(settings: Any) -> list[str]:
    return [field.name for field in _said(settings)]


def _check_values(entry: DeviceSpec) -> DeviceSpec:
    # Devices and settings check their own ranges, and their messages say best what is wrong.
    options = set(device_models()[entry.name].model_fields) - {"name"}
    try:
        # As plain data, since shots and noise may be mappings.
        made = make_device(entry.name, **entry.model_dump(include=options))
        if made.capabilities.queued:
            _ = entry.access
    except InvalidValueError as error:
        raise broken_rule(str(error)) from None
    settings = _settings_of(entry.name)
    if settings is not None and not made.capabilities.queued:
        # One kind of device may have backends with a queue and others without.
        given = [name for name in _names(settings) if getattr(entry, name) is not None]
        changed = [name for name in given if name in entry.model_fields_set]
        if changed:
            raise broken_rule(
                f"{', '.join(changed)} says how a queue is reached, but {entry.config.title} has "
                "none; leave it out"
            )
    return entry


@cache
def _model(kind: str, options: type[DeviceConfig], settings: Any) -> type[DeviceSpec]:
    fields: dict[str, Any] = {
        name: (field.annotation, field) for name, field in options.model_fields.items()
    }
    if settings is not None:
        hints = get_type_hints(settings)
        for setting in _said(settings):
            if setting.name in {*fields, *DeviceSpec.model_fields}:
                raise TypeError(f"{kind} has both an option and a setting {setting.name}")
            fields[setting.name] = (hints[setting.name], setting.default)
    validators: Any = {"check_values": model_validator(mode="after")(_check_values)}
    model: type[DeviceSpec] = create_model(
        f"{options.__name__.removesuffix('Config')}Spec",
        __base__=DeviceSpec,
        __module__=__name__,
        __doc__=options.__doc__,
        __validators__=validators,
        **fields,
    )
    return model


def device_spec_models() -> dict[str, type[DeviceSpec]]:
    """The model of each device's entry in sweep files, by the name of the device."""
    return {
        kind: _model(kind, options, _settings_of(kind)) for kind, options in device_models().items()
    }


def device_spec(content: Mapping[str, Any]) -> DeviceSpec:
    """Read an entry of ``devices``, which is a mapping.

    Raises:
        ValidationError: if there is no such device, or if an option or a setting is wrong.

    Example:
        >>> device_spec({"name": "exact", "shots": 64, "label": "few"}).key
        'few'
    """
    name = content.get("name")
    if not isinstance(name, str) or name not in DEVICES:
        # This raises the error for a name that is missing or unknown in the usual form.
        return DeviceSpec.model_validate(content)
    return device_spec_models()[name].model_validate(content)


class _OfRegistry:
    """Tells the JSON schema which devices there are, each with its options and settings."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A schema for each device of the registry; pydantic calls this."""
        models = device_spec_models().values()
        return {"anyOf": [handler(model.__pydantic_core_schema__) for model in models]}


AnyDeviceSpec: TypeAlias = Annotated[
    SerializeAsAny[DeviceSpec],
    BeforeValidator(lambda value: device_spec(value) if isinstance(value, dict) else value),
    _OfRegistry(),
]
