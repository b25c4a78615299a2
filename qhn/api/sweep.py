"""Sweeps in Python: planned and run by the program that calls, as `qhn sweep` would."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qhn.api.mapping import SOURCE, as_file
from qhn.api.summary import SweepSummary
from qhn.core.checks import check_count
from qhn.core.errors import InvalidValueError
from qhn.sweeps.planning.plan import Plan, PlannedTrial, make_plan
from qhn.sweeps.results.table import settings_frame
from qhn.sweeps.spec import parse_spec, read_spec
from qhn.sweeps.store import open_store
from qhn.sweeps.store.opening import default_store

if TYPE_CHECKING:
    from pandas import DataFrame


def load_sweep(source: str | os.PathLike[str] | Mapping[str, Any]) -> Sweep:
    """A sweep from its file, or from a mapping in the shape of such a file.

    In a mapping NumPy's numbers and arrays, tuples, ranges and paths may stand where a file has
    numbers, lists and text. A sweep that is run from a mapping is kept as a file in the store, so
    that ``qhn sweep resume NAME`` goes on with it.

    Args:
        source: path of a sweep file (YAML), or the mapping.

    Raises:
        SpecError: if the file cannot be read, or if there are mistakes: all of them are listed,
            each with its place (and its line in a file).
        InvalidValueError: if it is neither a path nor a mapping.

    Example:
        >>> sweep = load_sweep(
        ...     {"name": "tiny", "datasets": "moons", "objectives": ["mle"], "seeds": range(3)}
        ... )
        >>> sweep.name, len(sweep.plan().trials)
        ('tiny', 3)
    """
    if isinstance(source, Mapping):
        return Sweep(as_file(source), SOURCE)
    if isinstance(source, str | os.PathLike):
        return Sweep(read_spec(Path(source)), str(source))
    raise InvalidValueError(
        "a sweep must be the path of a sweep file, or a mapping such as {'name': ..., 'datasets': "
        f"..., 'objectives': ..., 'seeds': ...}}, but got a {type(source).__name__}"
    )


class Sweep:
    """What to run: data sets, objectives and settings, each with several seeds.

    `load_sweep` makes one; making it starts nothing and writes nothing.
    """

    def __init__(self, content: bytes, source: str) -> None:
        self._content = content
        self._source = source
        self._plan = SweepPlan(make_plan(parse_spec(content, source)))

    def __repr__(self) -> str:
        return f"<Sweep {self.name!r}: {len(self._plan.trials)} trials>"

    @property
    def name(self) -> str:
        """The sweep's name: its folder in the store, and its experiment in MLflow."""
        return self._plan.name

    def plan(self) -> SweepPlan:
        """The trials that the sweep asks for, whatever has been run of them."""
        return self._plan

    def run(
        self,
        store: str | os.PathLike[str] | None = None,
        tracking_uri: str | None = None,
        cpus: int | None = None,
        retry_failed: bool = False,
        progress: bool = True,
    ) -> SweepSummary:
        """Run what is left of the sweep on this machine, and bring MLflow up to date.

        The same call starts a sweep, goes on with it after any interruption, and extends it when
        its seeds have grown. It does what ``qhn sweep run`` does, with the same store, so that
        either can go on with what the other began.

        The sweep runs in the process that calls, which starts a Ray of its own and ends it. A
        script needs no ``if __name__ == "__main__"``. Signal handlers, environment, working
        directory and output are afterwards as they were; meanwhile what any code of the process
        prints to the descriptors 1 and 2 goes to the log of the run, in the store's folder
        ``sweeps/NAME/logs``. Should one of Ray's own processes die, Ray ends the calling process at
        once (exit code 1), without an exception or a word. Everything saved until then is kept, and
        calling again goes on; where the program must survive that, let it start ``qhn sweep run``
        as a process of its own.

        Args:
            store: folder of results, logs and the default MLflow database; None for the one that
                ``QHN_STORE`` names, else ``~/.qhn``.
            tracking_uri: of MLflow; None for ``MLFLOW_TRACKING_URI``, else a database in the store.
            cpus: trials at once; None for one on each core that other sweeps leave.
            retry_failed: whether trials that failed before are tried again.
            progress: whether to show on standard error (in a notebook: below the cell) how far the
                sweep is.

        Returns:
            How the run ended. A trial that failed is no exception: see `SweepSummary.failures`.

        Raises:
            KeyboardInterrupt: after Ctrl-C, once the sweep has stopped in order. Everything is
                kept: the same call goes on from there.
            SpecError: if this machine has not the memory that the sweep needs.
            StoreError: if the store cannot be used, or another process runs this sweep.
            TrackingError: if MLflow cannot be used; nothing was started then.
            RayError: if Ray cannot be started, or this process is connected to one already, or
                runs another sweep.
        """
        # These bring the whole of MLflow's and Ray's glue; planning must not wait for it.
        from qhn.api.progress import shown
        from qhn.api.surroundings import ctrl_c_held, surroundings_kept
        from qhn.sweeps.driver import launch as driver

        started = time.monotonic()
        if cpus is not None:
            check_count("cpus", cpus)
        opened = open_store(default_store() if store is None else os.fspath(store))
        with surroundings_kept(), driver.process_to_itself(), shown(progress) as view:
            launch = driver.prepare(self._content, self._source, opened, tracking_uri)
            try:
                with driver.taken(launch, cpus) as share:
                    outcome = driver.run(
                        launch,
                        share,
                        view,
                        retry_failed=retry_failed,
                        started=started,
                        shield=ctrl_c_held,
                    )
            except KeyboardInterrupt:
                # Before training there is no outcome, and what has raised this says nothing.
                raise KeyboardInterrupt(self._how_to_go_on()) from None
        if outcome.summary.interrupted:
            raise KeyboardInterrupt(self._how_to_go_on())
        return SweepSummary(outcome)

    def _how_to_go_on(self) -> str:
        return f"the sweep {self.name!r} was stopped and everything is kept; run it again to go on"


class SweepPlan:
    """The trials of a sweep in the order in which they are run; `Sweep.plan` makes one."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __repr__(self) -> str:
        return f"<SweepPlan {self.name!r}: {len(self.trials)} trials in {len(self.groups)} groups>"

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self._plan.name

    @property
    def trials(self) -> tuple[PlannedTrial, ...]:
        """The trials, each once, seeds outermost.

        A trial has ``trial_id``, ``config`` (all that decides its numbers), ``group`` and
        ``group_id`` (which it shares with the trials that differ by their seed alone), ``label``.
        """
        return self._plan.trials

    @property
    def groups(self) -> Mapping[str, str]:
        """The groups' labels by their ids, in the order of the file."""
        return self._plan.groups

    def to_frame(self) -> DataFrame:
        """One row per trial: what tells it apart, and its settings under their MLflow names."""
        return settings_frame(self.trials)
