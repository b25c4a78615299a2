"""Whether what a sweep needs fits into memory: its tables all together, and its largest trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from qhn.sweeps.config.sections import AnsatzConfig, DatasetConfig, NetworkConfig
from qhn.sweeps.planning.memory import shared_bytes, size_text, training_bytes
from qhn.sweeps.spec.mistakes import Place

Finding = tuple[Place, str]

#: With more qubits than this the sizes themselves are too large to compute with.
_MAX_QUBITS = 60
_ONE_POINT = {"train": 1, "test": 1}
_ONE_LAYER = {"depth": 1}


@dataclass(frozen=True)
class _Problem:
    """One network on data of one shape, in the deepest circuit; the first places of each."""

    dataset: DatasetConfig
    network: NetworkConfig
    ansatz: AnsatzConfig
    best_of: int
    places: dict[str, int]
    #: Data sets of this shape, each of which has tables of its own.
    count: int

    @property
    def n_qubits(self) -> int:
        return self.network.n_qubits(self.dataset.n_inputs)

    @cached_property
    def shared(self) -> int:
        return shared_bytes(self.dataset, self.network)

    @cached_property
    def shared_by_points(self) -> int:
        return self.shared - shared_bytes(self._one_point, self.network)

    @cached_property
    def trial(self) -> int:
        return self._trial(self.dataset, self.ansatz)

    @property
    def by_points(self) -> int:
        """Memory for more points than one."""
        return self.shared_by_points + self.trial - self._trial(self._one_point, self.ansatz)

    @property
    def by_depth(self) -> int:
        """Memory for more layers than one."""
        one_layer = self.ansatz.model_copy(update=_ONE_LAYER)
        return self.trial - self._trial(self.dataset, one_layer)

    @property
    def _one_point(self) -> DatasetConfig:
        return self.dataset.model_copy(update=_ONE_POINT)

    def _trial(self, dataset: DatasetConfig, ansatz: AnsatzConfig) -> int:
        return training_bytes(dataset, self.network, ansatz, self.best_of)

    @property
    def text(self) -> str:
        return f"{_network_text(self.network)} on {self.dataset.name}"

    @property
    def place_of_network(self) -> Place:
        return ("networks", self.places["networks"])

    @property
    def place_of_points(self) -> Place:
        assert self.dataset.test is not None
        key = "train" if self.dataset.train >= self.dataset.test else "test"
        return ("datasets", self.places["datasets"], key)


def _network_text(network: NetworkConfig) -> str:
    return network.kind + (f" with hidden={network.hidden}" if network.hidden else "")


def check_memory(
    datasets: Mapping[int, DatasetConfig],
    networks: Mapping[int, NetworkConfig],
    ansatze: Mapping[int, AnsatzConfig],
    best_of: int,
    available: int,
    *,
    networks_are_listed: bool,
) -> Iterator[Finding]:
    """What does not fit: each network and shape of data, or else the sweep as a whole.

    Args:
        datasets: the right ones of the file, by place in their list.
        networks: likewise.
        ansatze: likewise.
        best_of: samples of a report.
        available: bytes that trials and tables may use.
        networks_are_listed: whether the file names networks; else mistakes point at data sets.
    """
    problems = list(_problems(datasets, networks, ansatze, best_of))
    fits = True
    for problem in problems:
        if finding := _too_large(problem, available, networks_are_listed):
            fits = False
            yield finding
    if fits and problems:
        yield from _too_many(problems, available, networks_are_listed)


def _problems(
    datasets: Mapping[int, DatasetConfig],
    networks: Mapping[int, NetworkConfig],
    ansatze: Mapping[int, AnsatzConfig],
    best_of: int,
) -> Iterator[_Problem]:
    first: dict[tuple[int, int, int | None], int] = {}
    counts: dict[tuple[int, int, int | None], set[DatasetConfig]] = {}
    for place, data in datasets.items():
        shape = data.n_inputs, data.train, data.test
        first.setdefault(shape, place)
        counts.setdefault(shape, set()).add(data)
    distinct: dict[NetworkConfig, int] = {}
    for place, network in networks.items():
        distinct.setdefault(network, place)
    # The deepest circuit decides; apart from its depth a circuit's memory is that of its qubits.
    deepest = max(ansatze, key=lambda place: ansatze[place].depth, default=None)
    ansatz = AnsatzConfig() if deepest is None else ansatze[deepest]
    for shape, d in first.items():
        for network, n in distinct.items():
            places = {"datasets": d, "networks": n, "ansatze": deepest or 0}
            yield _Problem(datasets[d], network, ansatz, best_of, places, len(counts[shape]))


def _too_large(problem: _Problem, available: int, networks_are_listed: bool) -> Finding | None:
    size, why = "more than 100 EiB", ""
    # A network that the file leaves to the default cannot be pointed at.
    place: Place = ("datasets", problem.places["datasets"])
    if networks_are_listed:
        place = problem.place_of_network
    way_out = _smaller_network(problem)
    if problem.n_qubits <= _MAX_QUBITS:
        needed = problem.shared + problem.trial
        if needed <= available:
            return None
        size = size_text(needed)
        by_points, by_depth = problem.by_points, problem.by_depth
        if max(by_points, by_depth) > needed - by_points - by_depth:
            if by_points > by_depth:
                place, way_out = problem.place_of_points, "use fewer points"
                data = problem.dataset
                why = f", most of it for {data.train:,} training and {data.test:,} test points"
            else:
                place = ("ansatze", problem.places["ansatze"], "depth")
                way_out = "use fewer layers"
                why = f", most of it for {problem.ansatz.depth:,} layers"
    return place, (
        f"{problem.text} takes {problem.n_qubits} qubits and {size} of memory{why}, "
        f"but {size_text(available)} are available; {way_out}"
    )


def _smaller_network(problem: _Problem) -> str:
    if problem.network.kind == "mlp" and problem.dataset.n_inputs > 2:
        return "use kind: logistic"
    if (problem.network.hidden or 1) > 1:
        return "use fewer hidden units"
    return "run it where there is more memory"


def _too_many(
    problems: list[_Problem], available: int, networks_are_listed: bool
) -> Iterator[Finding]:
    tables = sum(problem.count * problem.shared for problem in problems)
    needed = tables + max(problem.trial for problem in problems)
    if needed <= available:
        return
    largest = max(problems, key=lambda problem: problem.count * problem.shared)
    by_points = sum(problem.count * problem.shared_by_points for problem in problems)
    by_network: dict[NetworkConfig, int] = {}
    for problem in problems:
        by_network.setdefault(problem.network, 0)
        by_network[problem.network] += problem.count * problem.shared
    place: Place = ("datasets",)
    way_out = "use fewer data sets, or split the sweep"
    if networks_are_listed and len(by_network) > 1 and 2 * max(by_network.values()) > tables:
        place, way_out = largest.place_of_network, f"leave out {_network_text(largest.network)}"
    elif 2 * by_points > tables:
        place, way_out = largest.place_of_points, "use fewer points or data sets"
    count = sum(problem.count for problem in problems)
    yield (
        place,
        (
            f"the tables of {count:,} problems (data set and network) and a trial take "
            f"{size_text(needed)} of memory, but {size_text(available)} are available; {way_out}"
        ),
    )
