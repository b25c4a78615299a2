"""The check whether a machine has enough memory for a sweep.

Reading and planning a sweep file never depend on a machine, so that a file means the same
everywhere. This check is made once, before the sweep runs. It names the entries of the file that
need too much memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from qhn.core.errors import InvalidValueError
from qhn.sweeps.config.devices import DeviceConfig
from qhn.sweeps.config.sections import AnsatzConfig, DatasetConfig, NetworkConfig
from qhn.sweeps.planning.arrangement import arrange
from qhn.sweeps.planning.machine import Machine, size_text
from qhn.sweeps.planning.memory import MAX_QUBITS, shared_bytes, stored_bytes, training_bytes
from qhn.sweeps.planning.plan import PlannedTrial
from qhn.sweeps.spec.mistakes import InvalidSpecError, Place
from qhn.sweeps.spec.models import SweepSpec
from qhn.sweeps.spec.parse import mistakes_in, parse_spec

_ONE_POINT = {"train": 1, "test": 1}
_ONE_LAYER = {"depth": 1}


def preflight(
    trials: Sequence[PlannedTrial], machine: Machine, text: str | bytes, source: str
) -> tuple[PlannedTrial, ...]:
    """Order the trials so that the machine can run them.

    Args:
        trials: the trials to run, in the order of the plan.
        machine: the machine that will run them.
        text: the text of the sweep file, from which messages take line numbers.
        source: the name of the sweep file, for messages.

    Returns:
        The same trials, in the same order if the machine can run them so; see `arrange`.

    Raises:
        InvalidSpecError: a `SpecError` that names, with its line, each entry of the file that needs
            more memory than the machine has, or each device that is not installed or has too few
            qubits.
    """
    _check_devices(trials, text, source)
    needs = list(_needs(trials))
    too_large = [need for need in needs if not need.fits(machine)]
    if too_large:
        # The file is read once more to find places and lines. If everything fits, this is not
        # needed.
        spec = parse_spec(text, source)
        findings = [(_place(need, spec, machine), _message(need, machine)) for need in too_large]
        raise InvalidSpecError(source, mistakes_in(text, source, findings))
    # Every problem fits alone, so all of them fit one after the other.
    return arrange(trials, machine)


def lacking(trials: Iterable[PlannedTrial]) -> Callable[[Machine], list[str]]:
    """A function that says which of these trials a machine cannot hold, and how much they need.

    It is for many machines: what the trials need is looked up only once.
    """
    needs = list(_needs(trials))
    return lambda machine: [_message(need, machine) for need in needs if not need.fits(machine)]


def _check_devices(trials: Iterable[PlannedTrial], text: str | bytes, source: str) -> None:
    """Check what only the libraries of devices know, which are imported for it."""
    reasons: dict[tuple[DeviceConfig, int], str] = {}
    for device, n_qubits in {(t.config.device, t.config.n_qubits): None for t in trials}:
        try:
            device.check(n_qubits)
        except InvalidValueError as error:
            reasons[device, n_qubits] = str(error)
    if not reasons:
        return
    spec = parse_spec(text, source)
    findings: list[tuple[Place, str]] = []
    for (device, n_qubits), reason in reasons.items():
        resolved = [entry.config.resolved(n_qubits) for entry in spec.devices]
        # A device that is no entry is that of `start_from`.
        place: Place = (
            ("devices", resolved.index(device)) if device in resolved else ("start_from",)
        )
        findings.append((place, reason))
    raise InvalidSpecError(source, mistakes_in(text, source, findings))


@dataclass(frozen=True)
class _Need:
    """The memory for one network on data of one shape, with the largest of its trials."""

    dataset: DatasetConfig
    network: NetworkConfig
    ansatz: AnsatzConfig
    best_of: int
    device: DeviceConfig
    tables: bool

    @property
    def n_qubits(self) -> int:
        return self.network.n_qubits(self.dataset.n_inputs)

    @cached_property
    def shared(self) -> int:
        return shared_bytes(self.dataset, self.network, self.tables)

    @cached_property
    def stored(self) -> int:
        return stored_bytes(self.dataset, self.network, self.tables)

    @cached_property
    def trial(self) -> int:
        return self._trial(self.dataset, self.ansatz)

    @property
    def by_points(self) -> int:
        """How much of the memory is for all points but one."""
        alone = shared_bytes(self._one_point, self.network, self.tables)
        return self.shared - alone + self.trial - self._trial(self._one_point, self.ansatz)

    @property
    def by_depth(self) -> int:
        """How much of the memory is for all layers but one."""
        one_layer = self.ansatz.model_copy(update=_ONE_LAYER)
        return self.trial - self._trial(self.dataset, one_layer)

    @property
    def by_shots(self) -> int:
        """How much of the memory is for samples."""
        if self.device.capabilities.shots is None:
            return 0
        # A device with two shots is as large but for its samples.
        few = self.device.model_copy(update={"shots": 2})
        return self.trial - self._trial(self.dataset, self.ansatz, few)

    @property
    def stored_by_points(self) -> int:
        """How much of the object store is for all points but one."""
        return self.stored - stored_bytes(self._one_point, self.network, self.tables)

    def fits(self, machine: Machine) -> bool:
        """Whether the tables and one trial fit, if nothing else is there."""
        return self.fits_in_memory(machine) and self.fits_in_store(machine)

    def fits_in_memory(self, machine: Machine) -> bool:
        return self.shared + self.trial <= machine.memory_bytes

    def fits_in_store(self, machine: Machine) -> bool:
        return machine.object_store_bytes is None or self.stored <= machine.object_store_bytes

    @property
    def _one_point(self) -> DatasetConfig:
        return self.dataset.model_copy(update=_ONE_POINT)

    @property
    def by_trajectories(self) -> int:
        """How much of the memory is for all trajectories but two."""
        if self.device.capabilities.trajectories is None:
            return 0
        few = self.device.model_copy(update={"trajectories": 2})
        return self.trial - self._trial(self.dataset, self.ansatz, few)

    def _trial(
        self, dataset: DatasetConfig, ansatz: AnsatzConfig, device: DeviceConfig | None = None
    ) -> int:
        return training_bytes(dataset, self.network, ansatz, self.best_of, device or self.device)

    @property
    def text(self) -> str:
        hidden = f" with hidden={self.network.hidden}" if self.network.hidden else ""
        return f"{self.network.kind}{hidden} on {self.dataset.name}"


def _shape(dataset: DatasetConfig) -> tuple[int, int, int | None]:
    """The properties of a data set on which the memory depends."""
    return dataset.n_inputs, dataset.train, dataset.test


def _needs(trials: Iterable[PlannedTrial]) -> Iterator[_Need]:
    """The needs of each network on each shape of data, in the order of their first trials."""
    # One need for each shape and not for each data set, so that a thousand seeds of moons give one
    # line on the screen.
    largest: dict[tuple[tuple[int, int, int | None], NetworkConfig, bool], _Need] = {}
    for trial in trials:
        config = trial.config
        key = _shape(config.dataset), config.network, config.needs_tables
        known = largest.get(key)
        # Circuits on the same number of qubits need different memory only if their depths differ,
        # or the devices that run them.
        if known is not None and (known.ansatz.depth, known.device) == (
            config.ansatz.depth,
            config.device,
        ):
            continue
        dataset = config.dataset if known is None else known.dataset
        need = _Need(
            dataset,
            config.network,
            config.ansatz,
            config.training.best_of,
            config.device,
            config.needs_tables,
        )
        if known is None or need.trial > known.trial:
            largest[key] = need
    yield from largest.values()


def _blame(need: _Need, machine: Machine) -> str:
    """Which part needs most of the memory: ``network``, ``points``, ``layers``, ``shots`` …"""
    if need.n_qubits > MAX_QUBITS:
        return "network"
    if need.fits_in_memory(machine):
        return "points" if 2 * need.stored_by_points > need.stored else "network"
    # Shots, points or layers are named if they need more than all the rest, so that changing them
    # helps. Otherwise it is the network.
    if 2 * need.by_shots > need.shared + need.trial:
        return "shots"
    if 2 * need.by_trajectories > need.shared + need.trial:
        return "trajectories"
    by_points, by_depth = need.by_points, need.by_depth
    rest = need.shared + need.trial - by_points - by_depth
    if max(by_points, by_depth) <= rest:
        return "network"
    return "points" if by_points > by_depth else "layers"


def _place(need: _Need, spec: SweepSpec, machine: Machine) -> Place:
    """The entry of the file that a message is about."""
    shapes = [_shape(dataset) for dataset in spec.datasets]
    dataset: Place = ("datasets", shapes.index(_shape(need.dataset)))
    match _blame(need, machine):
        case "points":
            assert need.dataset.test is not None
            return (*dataset, "train" if need.dataset.train >= need.dataset.test else "test")
        case "layers":
            return ("ansatze", spec.ansatze.index(need.ansatz), "depth")
        case "shots" | "trajectories":
            # The message names the shots. A device that is given as one word has no place for them.
            resolved = [entry.config.resolved(need.n_qubits) for entry in spec.devices]
            return ("devices", resolved.index(need.device))
        case _ if "networks" in spec.model_fields_set:
            return ("networks", spec.networks.index(need.network))
        case _:
            # If the file has no network of its own, the message points to the data set.
            return dataset


def _message(need: _Need, machine: Machine) -> str:
    blame = _blame(need, machine)
    why = ""
    if blame == "points":
        data = need.dataset
        why = f", most of it for {data.train:,} training and {data.test:,} test points"
    elif blame == "layers":
        why = f", most of it for {need.ansatz.depth:,} layers"
    elif blame in ("shots", "trajectories"):
        what = "samples" if blame == "shots" else "trajectories"
        why = f", most of it for the {what} of {need.device.title}"
    way_out = f"use fewer {blame}" if blame != "network" else None
    way_out = way_out or _smaller_network(need)
    begin = f"{need.text} takes {need.n_qubits} qubits and "
    if need.fits_in_memory(machine):
        assert machine.object_store_bytes is not None
        return (
            f"{begin}{size_text(need.stored)} of Ray's object store{why}, "
            f"but {size_text(machine.object_store_bytes)} are available there; {way_out}"
        )
    unknown = need.n_qubits > MAX_QUBITS
    size = "more than 100 EiB" if unknown else size_text(need.shared + need.trial)
    return (
        f"{begin}{size} of memory{why}, "
        f"but {size_text(machine.memory_bytes)} are available; {way_out}"
    )


def _smaller_network(need: _Need) -> str:
    if need.network.kind == "mlp" and need.dataset.n_inputs > 2:
        return "use kind: logistic"
    if (need.network.hidden or 1) > 1:
        return "use fewer hidden units"
    return "run it where there is more memory"
