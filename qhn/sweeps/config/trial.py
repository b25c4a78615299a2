"""The configuration of one trial, and the identity that follows from it.

A trial's id is a digest of its canonical configuration: the same configuration is the same trial
on every machine. Canonical means JSON with sorted keys, floats as floats, and None left out, so
that a field that is added later, None by default, changes no id that exists.

Early stopping is no part of it, since it belongs to the sweep that a trial runs in. Version f0fdd86
counted it in: what that version would have called a trial is its former id, under which an older
store may have it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from qhn.core.errors import InvalidValueError
from qhn.sweeps.config.devices import AnyDevice, device_config, unsupported
from qhn.sweeps.config.part import Part, Seed, broken_rule
from qhn.sweeps.config.sections import (
    AnsatzConfig,
    AshaConfig,
    DatasetConfig,
    NetworkConfig,
    ObjectiveConfig,
    TrainingConfig,
)

ID_LENGTH = 16


def canonical_json(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces; NaN and infinities are refused."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(content: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:ID_LENGTH]


def without_seed(content: Mapping[str, Any]) -> dict[str, Any]:
    """What trials of one group have in common."""
    return {key: value for key, value in content.items() if key != "seed"}


class TrialConfig(Part):
    """Everything that decides a trial's numbers.

    A configuration that version f0fdd86 wrote may also name ``early_stopping``, which is checked
    and then forgotten: the trial is the same one without it.

    Example:
        >>> config = TrialConfig.model_validate(
        ...     {"dataset": {"name": "moons"}, "objective": {"name": "mle"}, "seed": 3}
        ... )
        >>> config.n_qubits, config.training.steps
        (14, 250)
        >>> TrialConfig.from_json(config.to_json()) == config
        True
    """

    # To be raised only if a configuration comes to mean something else than it did; that gives
    # every trial a new id.
    version: Literal[1] = 1
    dataset: DatasetConfig
    network: NetworkConfig = Field(default_factory=NetworkConfig)
    ansatz: AnsatzConfig = Field(default_factory=AnsatzConfig)
    objective: ObjectiveConfig
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    # Left out of every dump, so that nothing can come to depend on it again.
    dropped_early_stopping: Annotated[AshaConfig | None, AfterValidator(lambda rule: None)] = Field(
        default=None, alias="early_stopping", exclude=True, repr=False
    )
    device: AnyDevice = Field(default_factory=lambda: device_config({}))
    seed: Seed

    @model_validator(mode="after")
    def _check_device(self) -> Self:
        if reason := unsupported(self.objective.name, self.device):
            raise broken_rule(reason)
        return self

    @classmethod
    def from_json(cls, text: str | bytes) -> TrialConfig:
        """Read what `to_json` wrote.

        Raises:
            InvalidValueError: if the text is not the JSON of a trial's configuration.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            # One is enough: nobody writes these files by hand.
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the text"
            raise InvalidValueError(
                f"not a trial's configuration: {place}: {first['msg']}"
            ) from error

    def content(self) -> dict[str, Any]:
        """The configuration as nested dictionaries of JSON values, None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def former_content(self, early_stopping: AshaConfig | None) -> dict[str, Any]:
        """The content as version f0fdd86 had it in a sweep with this rule, or with none."""
        content = self.content()
        if early_stopping is not None:
            content["early_stopping"] = early_stopping.content()
        return content

    def to_json(self) -> str:
        """The canonical JSON that `trial_id` digests."""
        return canonical_json(self.content())

    @property
    def trial_id(self) -> str:
        """Digest of the content, 16 hexadecimal digits."""
        return digest(self.content())

    def former_id(self, early_stopping: AshaConfig | None) -> str | None:
        """The id that version f0fdd86 gave the trial in a sweep with this rule.

        None where the sweep has no early stopping: its trials have had their id all along.
        """
        return None if early_stopping is None else digest(self.former_content(early_stopping))

    def group_id(self, early_stopping: AshaConfig | None) -> str:
        """Digest of everything but the seed; a statistic over seeds is taken over one group.

        The sweep's rule is part of it, as it was in version f0fdd86: MLflow finds groups by their
        id, and a mean over trials that a race thins out is another one than over all of them.
        """
        return digest(without_seed(self.former_content(early_stopping)))

    @property
    def problem_key(self) -> str:
        """Digest of data set and network: trials with the same key share one loss table."""
        content = self.content()
        # Neither circuit nor objective is in it: the table holds every network's loss, whatever
        # the networks are drawn from.
        return digest({"dataset": content["dataset"], "network": content["network"]})

    @property
    def n_qubits(self) -> int:
        """N, one qubit per binary parameter of the network."""
        return self.network.n_qubits(self.dataset.n_inputs)
