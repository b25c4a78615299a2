"""Notes on a sweep file: settings without effect, and what people should know of its devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from qhn.sweeps.spec.lanes import lanes_of_file
from qhn.sweeps.spec.mistakes import Finding, Mistake
from qhn.sweeps.spec.models import UNUSED, ObjectiveSpec, SweepSpec
from qhn.sweeps.spec.parse import mistakes_in, parse_spec, plain_content
from qhn.sweeps.spec.values import as_items

#: The keys that a file may give to an objective although it does not use them, by objective.
UNUSED_KEYS: dict[str, tuple[str, ...]] = {
    get_args(model.model_fields["name"].annotation)[0]: tuple(
        field.alias or name
        for name, field in model.model_fields.items()
        if UNUSED in field.metadata
    )
    for model in get_args(ObjectiveSpec)
}
_USES = {"mle": "the loss alone", "elbo": "λ alone"}


def notes(text: str | bytes, source: str = "the sweep file") -> list[Mistake]:
    """What people should know of a sweep file, each with its line. None of it is a mistake.

    These are settings that have no effect, with the reason, what devices say of themselves, and
    limits of lanes that are above those of the provider.

    Args:
        text: the content of the file; bytes are read as UTF-8.
        source: the name of the file in messages.

    Raises:
        InvalidSpecError: if the file has mistakes.
    """
    spec = parse_spec(text, source)
    found = [
        *_unused(plain_content(text, source)),
        *_task_notes(spec),
        *_device_notes(spec),
        *_lane_notes(spec),
    ]
    return mistakes_in(text, source, found)


def why_unused(objective: str, key: str) -> str | None:
    """Why a setting of an objective has no effect; None if it has one."""
    if key not in UNUSED_KEYS[objective]:
        return None
    return f"{objective} uses {_USES[objective]}, so {key} changes nothing and can be left out"


def _unused(content: Mapping[str, Any]) -> Iterator[Finding]:
    for place, entry in enumerate(as_items(content["objectives"])):
        if isinstance(entry, dict):
            for key in entry:
                if why := why_unused(entry["name"], key):
                    yield ("objectives", place, key), why


def _task_notes(spec: SweepSpec) -> Iterator[Finding]:
    if spec.data_seeds is None:
        return
    for place, dataset in enumerate(spec.datasets):
        if (available := dataset.available) is not None:
            message = (
                f"all tasks are drawn from the same {available:,} points, so that they overlap, "
                "and intervals over them are too short"
            )
            yield ("datasets", place), message


def _device_notes(spec: SweepSpec) -> Iterator[Finding]:
    qubits = dict.fromkeys(n.n_qubits(d.n_inputs) for d in spec.datasets for n in spec.networks)
    firsts: dict[Any, str] = {}
    for place, entry in enumerate(spec.devices):
        where = ("devices", place)
        for note in dict.fromkeys(note for n in qubits for note in entry.config.notes(n)):
            yield where, note
        first = firsts.setdefault(entry.config, entry.key)
        if first != entry.key:
            message = (
                f"{entry.key} differs from {first} in nothing that decides numbers, so their "
                f"trials are the same; they are trained once, on {first}"
            )
            yield where, message
    if spec.start_from is not None and all(entry.access is None for entry in spec.devices):
        yield (
            ("start_from",),
            (
                "only trials of devices with a queue start from others, and the file has no such "
                "device, so start_from changes nothing"
            ),
        )


def _lane_notes(spec: SweepSpec) -> Iterator[Finding]:
    for lane in lanes_of_file(spec.devices, spec.lanes):
        if (said := lane.spec) is None:
            continue
        where = ("lanes", lane.name)
        provider = next(iter(lane.access.values())).provider
        limits = {
            "jobs_in_flight": provider.pending,
            "submissions_per_minute": provider.submissions_per_minute,
        }
        for name, most in limits.items():
            given = getattr(said, name)
            if given is not None and most is not None and given > most:
                message = (
                    f"the provider is expected to refuse more than {most:,}, and what it refuses "
                    "is tried again later"
                )
                yield (*where, name), message
        if (said.requests_per_job or 1) > provider.parts_per_job:
            yield (
                (*where, "requests_per_job"),
                (
                    f"the provider takes at most {provider.parts_per_job:,} in a job, so that more "
                    "never go out together"
                ),
            )
        if "when_spent" in said.model_fields_set and said.budget is None:
            yield (*where, "when_spent"), "there is no budget, so when_spent changes nothing"
