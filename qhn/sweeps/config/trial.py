"""The configuration of one trial, and the identity that follows from it.

A trial's id is a digest of its canonical configuration, so the same configuration is the same trial
on every machine. Canonical means: JSON with sorted keys, in which floats are written as floats and
None is left out. So a field that is added later, with None as its default, changes no existing id.

Early stopping is not part of the configuration, because it belongs to the sweep in which a trial
runs. In version f0fdd86 it was part of it. The id that this version gave to a trial is called its
former id, and an older store may have the trial under that id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.task import MAX_TABLE_QUBITS
from qhn.sweeps.config.devices import AnyDevice, device_config, unsteered, unsupported
from qhn.sweeps.config.part import Part, Seed, broken_rule
from qhn.sweeps.config.sections import (
    AnsatzConfig,
    AshaConfig,
    ControlName,
    DatasetConfig,
    NetworkConfig,
    ObjectiveConfig,
    TrainingConfig,
)
from qhn.sweeps.config.start import StartConfig

ID_LENGTH = 16


def canonical_json(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces.

    Raises:
        ValueError: if a number is NaN or infinite.
    """
    # The same content must always give the same text, since ids are digests of it. Python writes a
    # float as the shortest text that is read back as the same float (1.0, 0.1, 1e-07). The models
    # turn whole numbers into floats where a field is a float: λ = 1 and λ = 1.0 are one trial.
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(content: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:ID_LENGTH]


def without_seed(content: Mapping[str, Any], *, over_tasks: bool = False) -> dict[str, Any]:
    """The content that all trials of one group have in common.

    Args:
        content: the content of one of the trials.
        over_tasks: whether the trials of a group may also have data of different seeds.
    """
    found = {key: value for key, value in content.items() if key != "seed"}
    if over_tasks:
        found["dataset"] = {k: value for k, value in content["dataset"].items() if k != "seed"}
    return found


class TrialConfig(Part):
    """Everything that decides the numbers of a trial.

    A configuration that version f0fdd86 wrote may also have ``early_stopping``. It is checked and
    then dropped, because it does not change what the trial computes.

    Example:
        >>> config = TrialConfig.model_validate(
        ...     {"dataset": {"name": "moons"}, "objective": {"name": "mle"}, "seed": 3}
        ... )
        >>> config.n_qubits, config.training.steps
        (14, 250)
        >>> TrialConfig.from_json(config.to_json()) == config
        True
    """

    # Raise it only if the same configuration gets a new meaning: every trial gets a new id then.
    version: Literal[1] = 1
    dataset: DatasetConfig
    network: NetworkConfig = Field(default_factory=NetworkConfig)
    ansatz: AnsatzConfig = Field(default_factory=AnsatzConfig)
    objective: ObjectiveConfig
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    # It is left out of every dump, so that no id can depend on it again.
    dropped_early_stopping: Annotated[AshaConfig | None, AfterValidator(lambda rule: None)] = Field(
        default=None, alias="early_stopping", exclude=True, repr=False
    )
    device: AnyDevice = Field(default_factory=lambda: device_config({}))
    # The numbers of a trial that starts from trained angles depend on that training, so that it is
    # part of the identity. None means random angles.
    start_from: StartConfig | None = None
    # What is trained in place of a hypernetwork; None for a hypernetwork.
    control: ControlName | None = None
    seed: Seed

    @property
    def objective_name(self) -> str:
        """The name under which tables have the trial: that of its control, or of its objective."""
        return self.control or self.objective.name

    @property
    def searches_networks(self) -> bool:
        """Whether the trial is a control that searches networks and has no circuit at all."""
        return self.control is not None and self.control != "mean_field"

    @model_validator(mode="after")
    def _check_validation(self) -> Self:
        if self.dataset.validation is not None and not self.needs_tables:
            raise broken_rule(
                f"points are held out for validation on at most {MAX_TABLE_QUBITS} qubits, but the "
                f"circuit has {self.n_qubits}; leave validation out"
            )
        return self

    @model_validator(mode="after")
    def _check_kale(self) -> Self:
        if self.objective.name == "kale" and not self.needs_tables:
            raise broken_rule(
                f"kale from samples is enumerated on at most {MAX_TABLE_QUBITS} qubits, but the "
                f"circuit has {self.n_qubits}; use selbo"
            )
        return self

    @model_validator(mode="after")
    def _check_device(self) -> Self:
        used = [self.device] if self.start_from is None else [self.device, self.start_from.device]
        for device in used:
            for reason in (
                unsupported(self.objective.name, device),
                unsteered(self.objective.lambda_, device),
            ):
                if reason is not None:
                    raise broken_rule(reason)
        return self

    @classmethod
    def from_json(cls, text: str | bytes) -> TrialConfig:
        """Read a configuration that `to_json` wrote.

        Raises:
            InvalidValueError: if the text is not the JSON of a trial's configuration.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            # The first mistake is enough, because nobody writes these files by hand.
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the text"
            raise InvalidValueError(
                f"not a trial's configuration: {place}: {first['msg']}"
            ) from error

    def content(self) -> dict[str, Any]:
        """The configuration as nested dictionaries of JSON values, without None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def former_content(self, early_stopping: AshaConfig | None) -> dict[str, Any]:
        """The content that the trial had in version f0fdd86, in a sweep with this rule or none."""
        content = self.content()
        if early_stopping is not None:
            content["early_stopping"] = early_stopping.content()
        return content

    def to_json(self) -> str:
        """The configuration as canonical JSON, of which `trial_id` is the digest."""
        return canonical_json(self.content())

    @property
    def trial_id(self) -> str:
        """The digest of the content, 16 hexadecimal digits."""
        return digest(self.content())

    def former_id(self, early_stopping: AshaConfig | None) -> str | None:
        """The id that version f0fdd86 gave the trial in a sweep with this rule.

        It is None if the sweep has no early stopping, because then the id has not changed.
        """
        return None if early_stopping is None else digest(self.former_content(early_stopping))

    def group_id(self, early_stopping: AshaConfig | None, *, over_tasks: bool = False) -> str:
        """The digest of everything but the seed. Statistics over seeds are taken over one group.

        In a sweep with data seeds the seed of the data is left out as well (``over_tasks``).

        The rule of early stopping is part of it, as it was in version f0fdd86. MLflow finds groups
        by this id, and a mean over the trials that early stopping leaves differs from a mean over
        all trials.
        """
        content = self.former_content(early_stopping)
        return digest(without_seed(content, over_tasks=over_tasks))

    @property
    def parent(self) -> TrialConfig | None:
        """The configuration of the trial from whose angles this one starts; None if from random."""
        if self.start_from is None:
            return None
        start = self.start_from
        changes = {"device": start.device, "training": start.training, "start_from": None}
        return self.model_copy(update=changes)

    @property
    def problem_key(self) -> str:
        """The digest of data set and network. Trials with the same key have one loss table."""
        content = self.content()
        # The circuit and the objective are not part of the key, because the table has the loss of
        # every network, however the networks are drawn.
        return digest({"dataset": content["dataset"], "network": content["network"]})

    @property
    def needs_tables(self) -> bool:
        """Whether the trial uses tables over all 2^N networks.

        Training from samples does without them where N is large. All other training needs them.
        """
        return self.n_qubits <= MAX_TABLE_QUBITS or not self.device.capabilities.samples

    @property
    def shared_key(self) -> str:
        """What trials share in memory: trials with the same key share one object.

        It is `problem_key`, with an ending where there are no tables.
        """
        return self.problem_key if self.needs_tables else f"{self.problem_key}-without-tables"

    @property
    def n_qubits(self) -> int:
        """N: one qubit for each binary parameter of the network."""
        return self.network.n_qubits(self.dataset.n_inputs)
