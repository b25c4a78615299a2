"""A Ray of one's own for one sweep: quiet, reachable from this machine alone, gone afterwards."""

from __future__ import annotations

import importlib
import logging
import math
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qhn.core.errors import RayError
from qhn.sweeps.driver.handlers import Shield
from qhn.sweeps.planning.machine import Machine

# Read when Ray is imported or started, so set before either; a user's own choice stands.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    # Ray then takes 127.0.0.1 for the machine's address, and listens nowhere else. The name is
    # from the systems where that is the default.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # When Ray's central process has died there is nothing to wait for: by default the driver
    # would wait for a minute before it ends.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
}
# They miss files that Tune is told not to write, and advise to resume in Tune's way.
_MISLED = ("ray.tune.analysis.experiment_analysis", "ray.tune.tune")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_TOKEN = Path("~/.ray/auth_token")
_PRIVATE = 0o077
_LINES = 20
_log = logging.getLogger(__name__)


def available_cpus() -> int:
    """Cores that this process may use: those it is bound to, or fewer by a container's quota."""
    bound = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if bound else os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text().split()
        return max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file here, or no limit in it
        return cpus


@contextmanager
def local_ray(
    slots: int, most_alive: int, machine: Machine, folder: Path, shield: Shield
) -> Iterator[None]:
    """Start Ray on this machine, and stop it at the end.

    Args:
        slots: CPUs, one per trial.
        most_alive: how many trials Tune may have that are not over.
        machine: whose memory the plan was checked against, and what Ray's object store may have.
        folder: where Ray keeps logs and sockets; only this user can look into its parent.
        shield: surrounds Ray's import, start and end.

    Raises:
        RayError: if Ray cannot be started.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    # With a searcher Tune stages a single trial, which would undo the reuse of processes.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(most_alive)
    # An inherited run id would override parents in MLflow.
    os.environ.pop("MLFLOW_RUN_ID", None)
    with shield():
        import ray
    for name in _MISLED:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with shield(), _secrets_kept():
            try:
                ray.init(
                    address="local",
                    num_cpus=slots,
                    object_store_memory=machine.object_store_bytes,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="WARNING",
                    configure_logging=False,
                    _temp_dir=str(folder),
                )
            except Exception as error:
                _log.error("what Ray's processes said:\n%s", _last_words(folder))
                raise RayError(_why_not(error)) from error
        yield
    finally:
        # Also undoes Tune's own handlers, which would swallow the next Ctrl-C.
        with shield():
            ray.shutdown()


@contextmanager
def tune_without_mlflow() -> Iterator[None]:
    """Let Ray Tune run without importing MLflow into this process.

    Tune counts which callbacks of its own are used, and imports all of them to do so. The one for
    MLflow imports that: more than a second and a hundred MB for a process that has no use for it.
    """
    name = "ray.air.integrations.mlflow"
    if "mlflow" in sys.modules or name in sys.modules:
        yield
        return
    # Read as "there is no such module" by whoever imports it meanwhile.
    sys.modules["mlflow"] = None  # type: ignore[assignment]
    try:
        importlib.import_module(name)
    finally:
        del sys.modules["mlflow"]
    try:
        yield
    finally:
        # A program that has called us may want to use it, with MLflow.
        del sys.modules[name]
        del sys.modules["ray.air.integrations"].mlflow


@contextmanager
def _secrets_kept() -> Iterator[None]:
    """Files that are made meanwhile are for this user alone, and so is Ray's token."""
    token = _TOKEN.expanduser()
    # A Ray that was started before, by whatever program, may have left it open to everybody.
    with suppress(OSError):
        if token.stat().st_mode & _PRIVATE:
            token.chmod(stat.S_IRUSR | stat.S_IWUSR)
    before = os.umask(_PRIVATE)
    try:
        yield
    finally:
        os.umask(before)


def _last_words(folder: Path) -> str:
    """The last lines of what Ray's processes have logged; their folder is about to go."""
    found = []
    for log in sorted(folder.glob("session_latest/logs/*.[eo][ru][rt]")):
        with suppress(OSError):
            found += [f"{log.name}: {line}" for line in log.read_text().splitlines()[-_LINES:]]
    return "\n".join(found)


def _why_not(error: Exception) -> str:
    """Ray's reason in one line: what Ray itself says of it fills a screen."""
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return (
        f"Ray must start on this machine, but it did not: {text} "
        "(it needs about 2 GiB of memory, also of address space, see `ulimit -v`, and a few "
        "hundred processes and open files); the log has what its processes said"
    )
