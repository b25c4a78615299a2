"""A Ray of one's own for one sweep: quiet, without a dashboard, gone afterwards."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qhn.cli.signals import held_back
from qhn.sweeps.planning.machine import available_bytes
from qhn.sweeps.planning.memory import Memory

# Read when Ray is imported or started, so set before either; a user's own choice stands.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
}
# They miss files that Tune is told not to write, and advise to resume in Tune's way.
_MISLED = ("ray.tune.analysis.experiment_analysis", "ray.tune.tune")
_TURN_S = 0.0005
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cpus() -> int:
    """Cores that this process may use: those it is bound to, or fewer by a container's quota."""
    bound = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if bound else os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text().split()
        return max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file here, or no limit in it
        return cpus


def trials_at_once(memory: Memory, cpus: int | None) -> int:
    """Slots for trials: as many as wanted, or else one per core, as far as memory allows.

    Args:
        memory: of the trials.
        cpus: the number wanted, if there is one.
    """
    return min(cpus or available_cpus(), memory.trials_at_once(available_bytes()))


def most_alive(slots: int) -> int:
    """How many trials Tune may have that are not over, for a number that run at once.

    Beyond those that run: one for each slot whose process may still be starting (see
    `PatientScheduler`), and one more, since Tune ends the process of a trial that is over when
    nothing waits for it.
    """
    return 2 * slots + 1


@contextmanager
def local_ray(slots: int) -> Iterator[None]:
    """Start Ray on this machine, and stop it at the end.

    Args:
        slots: CPUs, one per trial.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    # With a searcher Tune stages a single trial, which would undo the reuse of processes.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(most_alive(slots))
    # An inherited run id would override parents in MLflow.
    os.environ.pop("MLFLOW_RUN_ID", None)
    with held_back():
        import ray
    for name in _MISLED:
        logging.getLogger(name).setLevel(logging.ERROR)
    # Tune's loop and the tracking thread take turns: with Python's 5 ms each turn, both crawl.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    session: Path | None = None
    try:
        with held_back():
            context = ray.init(
                address="local",
                num_cpus=slots,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="WARNING",
                configure_logging=False,
            )
            session = Path(context.address_info["session_dir"])
        yield
    finally:
        # Also undoes Tune's own handlers, which would swallow the next Ctrl-C.
        with held_back():
            sys.setswitchinterval(interval)
            ray.shutdown()
            if session is not None:
                # This Ray was ours alone, and Tune leaves a folder per trial in it.
                shutil.rmtree(session / "artifacts", ignore_errors=True)
