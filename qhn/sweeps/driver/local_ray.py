"""Starts a Ray for one sweep, which only this machine can reach, and stops it at the end."""

from __future__ import annotations

import importlib
import logging
import math
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qhn.core.errors import RayError
from qhn.sweeps.driver.bare_ray import bare_ray
from qhn.sweeps.driver.handlers import Shield
from qhn.sweeps.planning.machine import Machine
from qhn.sweeps.ray_token import TOKEN_FILE

# Ray reads these when it is imported or started, so they are set before. They are set only if the
# user has not set them.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
}
# These are for a Ray that is started here.
_OWN_SETTINGS = {
    # With 0 Ray uses the address 127.0.0.1 and does not listen on any other. On Windows and macOS
    # that is the default, hence the name.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # If Ray's central process has died it does not come back. By default the driver would wait for
    # it for a minute before it ends.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
}
#: These loggers warn about missing files, which we have told Tune not to write, and explain how to
#: resume with Tune, which would not work here.
MISLED = ("ray.tune.analysis.experiment_analysis", "ray.tune.tune")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_PRIVATE = 0o077
_LINES = 20
_log = logging.getLogger(__name__)


def available_cpus() -> int:
    """The number of cores that this process may use.

    These are the cores that it is bound to, or fewer if its container has a smaller quota.
    """
    bound = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if bound else os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text().split()
        return max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # there is no such file, or it says "max", which is no limit
        return cpus


def set_environment() -> None:
    """Set the environment variables of Ray and Tune, before either of them is imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    # With this variable set, MLflow would attach new runs to that run instead of their parents.
    os.environ.pop("MLFLOW_RUN_ID", None)


@contextmanager
def local_ray(
    resources: Mapping[str, int], machine: Machine, folder: Path, shield: Shield
) -> Iterator[None]:
    """Start Ray on this machine, and stop it at the end.

    Args:
        resources: how much Ray has of each resource, by Ray's names. ``CPU`` is the number of
            simulated trials that run at once; the others bound the trials of other lanes.
        machine: the memory against which the plan was checked, and the size of Ray's object store.
        folder: the folder for Ray's logs and sockets. Only this user may be able to read its
            parent.
        shield: the context in which Ray is imported, started and stopped.

    Raises:
        RayError: if Ray cannot be started.
    """
    set_environment()
    for name, value in _OWN_SETTINGS.items():
        os.environ.setdefault(name, value)
    with shield():
        import ray
    for name in MISLED:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with shield(), _secrets_kept(), bare_ray():
            try:
                ray.init(
                    address="local",
                    num_cpus=resources["CPU"],
                    resources={name: n for name, n in resources.items() if name != "CPU"},
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
        # Leaving the shield also removes Tune's signal handlers, which would swallow the next
        # Ctrl-C.
        with shield():
            ray.shutdown()


@contextmanager
def tune_without_mlflow() -> Iterator[None]:
    """Let Ray Tune run without importing MLflow into this process.

    Tune records which of its own callbacks are used, and imports all of them for that. Its callback
    for MLflow imports MLflow, which takes more than a second and 100 MB, and the driver does not
    need it.
    """
    name = "ray.air.integrations.mlflow"
    if "mlflow" in sys.modules or name in sys.modules:
        yield
        return
    # While this entry is None, importing MLflow fails as if it were not installed. Tune's module
    # accepts that, and stays imported after the entry is removed.
    sys.modules["mlflow"] = None  # type: ignore[assignment]
    try:
        importlib.import_module(name)
    finally:
        del sys.modules["mlflow"]
    try:
        yield
    finally:
        # The program that called us may want to use Tune's callback later, with MLflow.
        del sys.modules[name]
        del sys.modules["ray.air.integrations"].mlflow


@contextmanager
def tune_without_variables() -> Iterator[None]:
    """Let Ray Tune run without setting environment variables in the processes of trials.

    Tune copies the keys of Amazon's cloud from the driver's environment into the description of the
    processes that it asks Ray for, and Ray writes that description to its logs. A Ray that is
    started here inherits the environment anyway; elsewhere credentials belong to the machine.

    It also sets a variable for PyTorch Lightning. For a trial with variables of its own Ray starts
    a new process, which takes a second, although others are there already and wait for work.
    """
    cache: Any = importlib.import_module("ray.tune.execution.class_cache")
    before = cache.ENV_VARS_TO_PROPAGATE, cache.DEFAULT_ENV_VARS
    cache.ENV_VARS_TO_PROPAGATE = {name for name in before[0] if not name.startswith("AWS_")}
    cache.DEFAULT_ENV_VARS = {}
    try:
        yield
    finally:
        cache.ENV_VARS_TO_PROPAGATE, cache.DEFAULT_ENV_VARS = before


@contextmanager
def _secrets_kept() -> Iterator[None]:
    """Make new files readable only for this user, and also the file with Ray's token."""
    token = TOKEN_FILE.expanduser()
    # All of this user's Rays share the token. Another program may have started a Ray before and
    # left the file readable for everybody.
    with suppress(OSError):
        if token.stat().st_mode & _PRIVATE:
            token.chmod(stat.S_IRUSR | stat.S_IWUSR)
    before = os.umask(_PRIVATE)
    try:
        yield
    finally:
        os.umask(before)


def _last_words(folder: Path) -> str:
    """The last lines of the logs of Ray's processes, which are deleted with their folder soon."""
    found = []
    for log in sorted(folder.glob("session_latest/logs/*.[eo][ru][rt]")):
        with suppress(OSError):
            found += [f"{log.name}: {line}" for line in log.read_text().splitlines()[-_LINES:]]
    return "\n".join(found)


def _why_not(error: Exception) -> str:
    """A message with the first line of Ray's reason; the whole text would fill a screen."""
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return (
        f"Ray must start on this machine, but it did not: {text} "
        "(it needs about 2 GiB of memory, also of address space, see `ulimit -v`, and a few "
        "hundred processes and open files); the log has what its processes said"
    )
