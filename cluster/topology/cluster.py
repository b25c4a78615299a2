"""A cluster on this machine: starts it, ends it, and disturbs single parts of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock

from topology import environment, processes
from topology.asking import wait
from topology.errors import NotYetError, TopologyError
from topology.folder import checked, made_anew, opened
from topology.inventory import is_node, next_worker, part, part_names, port_names
from topology.keys import read_keys
from topology.options import Options
from topology.part import Part
from topology.parts.ray_nodes import HEAD, WORKER
from topology.place import Place
from topology.ports import choose
from topology.processes import Leader
from topology.state import State, locked, read_state

_HEALTHY_S = 240.0


class Cluster:
    """The cluster of one folder.

    Args:
        folder: the folder with everything that the cluster writes.

    Raises:
        TopologyError: if the folder cannot be that of a cluster.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = checked(folder)
        self._writing = Lock()

    def up(self, options: Options | None) -> None:
        """Start what does not run, and return when everything is healthy.

        Args:
            options: how the cluster is made; None for the defaults, or for those with which it was
                made before.

        Raises:
            TopologyError: if a part is not healthy in time. Then nothing is left running.
        """
        opened(self.folder)
        with locked(self.folder):
            state = read_state(self.folder)
            if state is not None and not state.healthy:
                # A start has failed before, and nobody knows how far it got.
                self._end(state)
                state = None
            if state is None:
                made_anew(self.folder)
                state = State(options or Options())
                self._add_ports(state, part_names(state.options))
                state.save(self.folder)
            elif options not in (None, state.options):
                raise TopologyError(
                    f"the cluster of {self.folder} runs with other options; to change them call "
                    "cluster/local down first, or name another folder with --dir"
                )
            self._start(state, [name for name in state.ports if _is_down(state, name)])
            state.healthy = True
            state.save(self.folder)

    def down(self) -> None:
        """End all processes and delete the folder. It may be called again.

        Raises:
            TopologyError: if a process cannot be ended.
        """
        try:
            state = read_state(self.folder)
        except TopologyError:
            state = None  # Processes are also found without it.
        self._end(state)
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def start(self, name: str) -> str:
        """Start a part, and return when it is healthy; its name.

        If the head was lost, the workers and the gateway are started again as well: a head that
        starts knows nothing of them. A worker or gateway that was lost gets other ports.

        Args:
            name: the name of the part. ``worker`` adds a worker.

        Raises:
            TopologyError: if a part that it needs is down, or it is not healthy in time.
        """
        with self._changing() as state:
            if name == WORKER:
                name = next_worker(state.ports)
                state.ports[name] = {}
            _check_known(name, state)
            if not _is_down(state, name):
                return name
            if name == HEAD:
                nodes = [node for node in state.leaders if is_node(node)]
                for node in nodes:
                    processes.kill(self.folder, node, state.leaders[node])
                self._start(state, [HEAD, *nodes])
                return name
            if is_node(name):
                # Ray's head talks to a node by its address. For some seconds it refuses to connect
                # again to the address of a lost one, and then it loses track of what is free on the
                # new one, for ever: no trial of the gateway's lanes was started again.
                self._add_ports(state, [name])
            place = self._place(state)
            one = part(place, name)
            if missing := [need for need in one.needs if _is_down(state, need)]:
                raise TopologyError(f"{name} needs {missing[0]}, which is down; start that first")
            leader = self._launch(state, place, one)
        # Meanwhile other commands may kill and start other parts.
        self._wait(one, leader, place)
        return name

    def kill(self, name: str) -> int:
        """End all processes of a part at once, as a power cut would; how many there were."""
        with self._changing(name) as state:
            count = processes.kill(self.folder, name, state.leaders.get(name))
            self._forget(state, name)
        return count

    def stop(self, name: str, grace_s: float) -> None:
        """Ask a part to end, and end what lives after a while."""
        with self._changing(name) as state:
            processes.stop(self.folder, name, state.leaders.get(name), grace_s)
            self._forget(state, name)

    def pause(self, name: str) -> None:
        """Let a part not answer any more, without ending it."""
        with self._changing(name) as state:
            processes.pause(self.folder, name, state.leaders.get(name))
            state.paused = sorted({*state.paused, name})
            state.save(self.folder)

    def unpause(self, name: str) -> None:
        """Let a part go on that was paused."""
        with self._changing(name) as state:
            processes.unpause(self.folder, name, state.leaders.get(name))
            state.paused = [paused for paused in state.paused if paused != name]
            state.save(self.folder)

    def exports(self) -> dict[str, str]:
        """The variables that a client needs."""
        return environment.client(self._place(self._state()))

    def status(self) -> dict[str, dict[str, object]]:
        """For each part its state, its first process, all processes, and its ports.

        A part that runs is asked whether it is healthy.
        """
        state = self._state()
        place = self._place(state)
        found: dict[str, dict[str, object]] = {}
        for name, ports in state.ports.items():
            leader = state.leaders.get(name)
            alive = processes.members(self.folder, name, leader)
            found[name] = {
                "state": self._word(state, place, name),
                "pid": None if leader is None or leader.process() is None else leader.pid,
                "pids": sorted(process.pid for process in alive),
                "ports": ports,
            }
        return found

    def _word(self, state: State, place: Place, name: str) -> str:
        if _is_down(state, name):
            return "down"
        if name in state.paused:
            return "paused"
        try:
            part(place, name).check(state.leaders[name].launched)
        except (NotYetError, OSError):
            return "unhealthy"
        return "healthy"

    def _start(self, state: State, names: Sequence[str]) -> None:
        """Start parts side by side, each after those that it needs, and wait for all of them."""
        place = self._place(state)
        parts = {name: part(place, name) for name in names}
        ready: dict[str, Future[None]] = {}
        over = Event()

        def bring_up(one: Part) -> None:
            for need in one.needs:
                if need in ready:
                    ready[need].result()
            if not over.is_set():
                self._wait(one, self._launch(state, place, one), place)

        pool = ThreadPoolExecutor(max(1, len(parts)))
        try:
            # What others need comes first, so that they find it.
            for one in sorted(parts.values(), key=lambda one: len(one.needs)):
                ready[one.name] = pool.submit(bring_up, one)
            for future in as_completed(ready.values()):
                future.result()
        except BaseException:
            over.set()
            for name in names:  # Then the others have nothing to wait for.
                processes.kill(self.folder, name, state.leaders.get(name))
            raise
        finally:
            pool.shutdown()

    def _launch(self, state: State, place: Place, one: Part) -> Leader:
        # Processes of an earlier start may have outlived their first one.
        processes.kill(self.folder, one.name, state.leaders.get(one.name))
        one.prepare()
        with self._writing:
            leader = processes.start(
                one.command,
                folder=self.folder,
                part=one.name,
                environment=one.environment,
                log=place.log(one.name),
                account=one.account,
            )
            state.leaders[one.name] = leader
            state.save(self.folder)
        return leader

    def _wait(self, one: Part, leader: Leader, place: Place) -> None:
        wait(
            one.name,
            lambda: one.check(leader.launched),
            lambda: leader.process() is not None,
            place.log(one.name),
            _HEALTHY_S,
        )

    def _end(self, state: State | None) -> None:
        leaders = [] if state is None else state.leaders.values()
        processes.kill(self.folder, None, *leaders)

    def _add_ports(self, state: State, names: Sequence[str]) -> None:
        wanted = [(name, port) for name in names for port in port_names(name)]
        taken = [port for ports in state.ports.values() for port in ports.values()]
        labels = [f"{name} {port}" for name, port in wanted]
        chosen = choose(labels, state.options.port, taken)
        for label, (name, port) in zip(labels, wanted, strict=True):
            state.ports.setdefault(name, {})[port] = chosen[label]

    def _forget(self, state: State, name: str) -> None:
        state.leaders.pop(name, None)
        state.paused = [paused for paused in state.paused if paused != name]
        state.save(self.folder)

    def _state(self) -> State:
        state = read_state(self.folder) if self.folder.exists() else None
        if state is None:
            raise TopologyError(
                f"a cluster of {self.folder} must be up, but none is; start it with cluster/local "
                "up"
            )
        return state

    @contextmanager
    def _changing(self, name: str | None = None) -> Iterator[State]:
        """What is known of the cluster, while no other command changes it."""
        self._state()  # Without a cluster there is no folder, and nothing to wait for.
        with locked(self.folder):
            state = self._state()
            if name is not None:
                _check_known(name, state)
            yield state

    def _place(self, state: State) -> Place:
        return Place(self.folder, state.options, state.ports, read_keys(self.folder))


def _is_down(state: State, name: str) -> bool:
    leader = state.leaders.get(name)
    return leader is None or leader.process() is None


def _check_known(name: str, state: State) -> None:
    if name not in state.ports:
        raise TopologyError(f"the part must be one of {', '.join(state.ports)}, but got {name}")
