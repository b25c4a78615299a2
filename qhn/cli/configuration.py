"""Makes the configuration of one trial from options, with the rules of sweep files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qhn.core.errors import SpecError
from qhn.sweeps.config.trial import TrialConfig

if TYPE_CHECKING:
    from qhn.sweeps.spec.devices import DeviceSpec

# The option for each place in a sweep file of one trial, to name the option in messages. A place
# comes after the longer places that begin with it.
_OPTIONS = {
    "objectives[0].lambda": "--lambda",
    "objectives[0].bandwidth": "--bandwidth",
    "objectives[0]": "--objective",
    "datasets[0]": "--dataset",
    "networks[0]": "--hidden",
    "ansatze[0].depth": "--depth",
    "ansatze[0]": "--entangler",
    "training.steps": "--steps",
    "training.learning_rate": "--learning-rate",
    "training.report_every": "--report-every",
    "devices[0]": "--device",
    "seeds": "--seed",
}


@dataclass(frozen=True)
class Chosen:
    """What is to be trained.

    Attributes:
        config: the configuration of the trial.
        entry: its device as it would stand in a sweep file, with the settings by which it is
            reached, which are no part of the trial; None for the defaults of these.
    """

    config: TrialConfig
    entry: DeviceSpec | None = None


def from_file(path: str) -> Chosen:
    """The configuration in the ``config.json`` of a trial.

    Raises:
        SpecError: if the file cannot be read.
        InvalidValueError: if its content is not a configuration.
    """
    try:
        return Chosen(TrialConfig.from_json(Path(path).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot read the trial's configuration {path}: {error}") from None


def from_options(
    *,
    dataset: str,
    objective: str,
    lambda_: float | None,
    bandwidth: str | None,
    hidden: int | None,
    entangler: str,
    depth: int,
    steps: int,
    learning_rate: float,
    report_every: int,
    device: str,
    seed: int,
) -> Chosen:
    """The configuration of a trial with these settings. They are checked like a sweep file.

    Raises:
        SpecError: if there are mistakes. The message lists all of them, each with its option.
    """
    if hidden is None:
        hidden = 0 if dataset == "digits" else 3
    goal: dict[str, Any] = {"name": objective}
    if objective != "mle":
        goal["lambda"] = 1.0 if lambda_ is None else lambda_
    elif lambda_ is not None:
        goal["lambda"] = lambda_
    if bandwidth is not None:
        goal["bandwidth"] = _number_or_word(bandwidth)
    return _checked(
        {
            "name": "train",
            "datasets": [dataset],
            "networks": [{"kind": "mlp", "hidden": hidden} if hidden else {"kind": "logistic"}],
            "ansatze": [{"entangler": entangler, "depth": depth}],
            "objectives": [goal],
            "devices": [_device(device)],
            "seeds": [seed],
            "training": {
                "steps": steps,
                "learning_rate": learning_rate,
                "report_every": report_every,
            },
        }
    )


def unused_options(objective: str, lambda_: float | None, bandwidth: str | None) -> list[str]:
    """A note on each option that was given although the objective does not use it."""
    from qhn.sweeps.spec.notes import why_unused

    given = {"lambda": lambda_, "bandwidth": bandwidth}
    whys = {key: why_unused(objective, key) for key, value in given.items() if value is not None}
    return [f"--{key}: {why}" for key, why in whys.items() if why is not None]


def _device(text: str) -> Any:
    """A device as a word, or as a mapping such as ``{name: exact, noise: 0.001}``."""
    from qhn.sweeps.spec.document import read_document

    # A word is left to the reader of words, because YAML would take `exact:64` for a mapping.
    return read_document(text, "--device").content if text.startswith("{") else text


def _number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _checked(content: Mapping[str, Any]) -> Chosen:
    from qhn.sweeps.planning.machine import Machine, available_bytes
    from qhn.sweeps.planning.plan import make_plan
    from qhn.sweeps.planning.preflight import preflight
    from qhn.sweeps.spec import InvalidSpecError, Mistake, parse_spec

    try:
        text = json.dumps(content, indent=1)
        spec = parse_spec(text)
        trials = make_plan(spec).trials
        # The trial is trained in this process, so there is no Ray whose object store needs memory.
        (trial,) = preflight(trials, Machine(available_bytes()), text, "the options")
    except InvalidSpecError as error:
        mistakes = [Mistake(_option(found.path), None, found.message) for found in error.mistakes]
        raise InvalidSpecError("the command line", mistakes) from None
    (entry,) = spec.devices
    if entry.label is not None:
        why = (
            "a label must stand in a sweep file, whose lanes call the device by it, but got label: "
            f"{entry.label}; leave it out"
        )
        raise InvalidSpecError("the command line", [Mistake("--device", None, why)])
    return Chosen(trial.config, entry)


def _option(path: str) -> str:
    return next((option for place, option in _OPTIONS.items() if path.startswith(place)), path)
