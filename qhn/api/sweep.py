"""Plans and runs sweeps from Python, as the command `qhn sweep` does."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
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
    """Load a sweep from a sweep file, or from a mapping with the same content.

    A mapping may contain numbers and arrays of NumPy, tuples, ranges and paths in place of numbers,
    lists and text. The store keeps a sweep that is run from a mapping as a file, so that
    ``qhn sweep resume NAME`` can continue it.

    Args:
        source: the path of a sweep file (YAML), or the mapping.

    Raises:
        SpecError: if the file cannot be read, or if there are mistakes. The message lists all of
            them, each with its place, and for a file with its line.
        InvalidValueError: if the source is neither a path nor a mapping.

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
    """A sweep: data sets, objectives and settings, each of which is trained with several seeds.

    `load_sweep` makes one, which starts nothing and writes nothing.
    """

    def __init__(self, content: bytes, source: str) -> None:
        self._content = content
        self._source = source
        self._plan = SweepPlan(make_plan(parse_spec(content, source)))

    def __repr__(self) -> str:
        return f"<Sweep {self.name!r}: {len(self._plan.trials)} trials>"

    @property
    def name(self) -> str:
        """The name of the sweep. Its folder in the store and its MLflow experiment have it too."""
        return self._plan.name

    def plan(self) -> SweepPlan:
        """All trials of the sweep, whether they have been run or not."""
        return self._plan

    def run(
        self,
        store: str | os.PathLike[str] | None = None,
        tracking_uri: str | None = None,
        cpus: int | None = None,
        retry_failed: bool = False,
        progress: bool = True,
        over_budget: bool = False,
        address: str | None = None,
    ) -> SweepSummary:
        """Run what is left of the sweep on this machine, and bring MLflow up to date.

        The same call starts a sweep, continues it after an interruption, and extends it if it has
        more seeds than before. It does the same as ``qhn sweep run`` with the same store, and each
        of the two can continue what the other has begun.

        The sweep runs in the calling process, which starts a Ray of its own and stops it at the
        end. A script does not need ``if __name__ == "__main__"``. Signal handlers, environment,
        working directory and output are afterwards the same as before. During the run, everything
        that the process prints to the file descriptors 1 and 2 goes to a log in the folder
        ``sweeps/NAME/logs`` of the store.

        If one of Ray's own processes dies, Ray ends the calling process at once, with exit code 1
        and without an exception or a message. Everything that was saved before is kept, and the
        same call continues the sweep. A program that must survive this can start
        ``qhn sweep run`` as a process of its own.

        Args:
            store: the folder for results, logs and the default MLflow database; None for the one
                that ``QHN_STORE`` names, else ``~/.qhn``.
            tracking_uri: MLflow's tracking URI; None for ``MLFLOW_TRACKING_URI``, else a database
                in the store.
            cpus: how many trials run at once; None for one on each core that other sweeps leave.
            retry_failed: whether trials that failed before are tried again.
            progress: whether to show the progress, on standard error or below a notebook's cell.
            over_budget: whether to run the sweep although it is expected to take more of a lane of
                a quantum processor than its budget, until the budget is spent.
            address: ``auto`` or ``HOST:PORT`` for a Ray that runs already, of which this machine
                must be a part; it is never stopped. None to start a Ray for this sweep.

        Returns:
            How the run ended. Trials that failed raise nothing, see `SweepSummary.failures`.

        Raises:
            KeyboardInterrupt: after Ctrl-C, when the sweep has stopped. Everything is kept, and the
                same call continues the sweep.
            InvalidValueError: if ``cpus`` is not a whole number of at least 1, or ``address`` is
                no address.
            SpecError: if the sweep needs more memory than there is, or more than a budget.
            DeviceError: if a queued device cannot be used, for example without credentials. In this
                case nothing was started.
            StoreError: if the store cannot be used, or another process runs this sweep.
            TrackingError: if MLflow cannot be used. In this case no trial was started.
            RayError: if Ray cannot be started or attached to, if this process is connected to a
                Ray already, or if it runs another sweep.
        """
        # These modules import much of Ray's surroundings, which planning alone does not need.
        from qhn.api.progress import shown
        from qhn.api.surroundings import ctrl_c_held, surroundings_kept
        from qhn.sweeps.driver import launch as driver

        started = time.monotonic()
        if cpus is not None:
            check_count("cpus", cpus)
        opened = open_store(default_store() if store is None else os.fspath(store))
        with surroundings_kept(), driver.process_to_itself(), shown(progress) as view:
            launch = driver.prepare(
                self._content,
                self._source,
                opened,
                tracking_uri,
                address=address,
                over_budget=over_budget,
            )
            try:
                with driver.taken(launch, cpus, ctrl_c_held) as share:
                    outcome = driver.run(
                        launch,
                        share,
                        view,
                        retry_failed=retry_failed,
                        started=started,
                        shield=ctrl_c_held,
                    )
                    outcome = replace(outcome, notes=[*share.notes, *outcome.notes])
            except KeyboardInterrupt:
                # Before training begins there is no outcome. The interrupt that was raised has no
                # message, so one is raised that has.
                raise KeyboardInterrupt(self._how_to_go_on()) from None
        if outcome.summary.interrupted:
            raise KeyboardInterrupt(self._how_to_go_on())
        return SweepSummary(outcome)

    def _how_to_go_on(self) -> str:
        return f"the sweep {self.name!r} was stopped and everything is kept; run it again to go on"


class SweepPlan:
    """The planned trials of a sweep. `Sweep.plan` returns it."""

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
        """The trials, each once: first those of all groups with the first seed, and so on.

        A trial has a ``trial_id``, a ``config`` with everything that its numbers depend on, a
        ``label``, and the ``group_id`` and ``group`` (a label) that it shares with the trials that
        differ from it only by their seeds.
        """
        return self._plan.trials

    @property
    def groups(self) -> Mapping[str, str]:
        """The labels of the groups by their ids, in the order of the file."""
        return self._plan.groups

    def to_frame(self) -> DataFrame:
        """A pandas table with one row for each trial.

        The columns are ``trial_id``, ``group_id``, ``group``, ``seed``, ``data_seed``, and the
        settings under the names of their MLflow parameters.
        """
        return settings_frame(self.trials)
