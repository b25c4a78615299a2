"""What the driver's process must do without."""

import subprocess
import sys

import pytest
from ray.tune.execution import class_cache

from qhn.sweeps.driver.bare_ray import bare_ray
from qhn.sweeps.driver.local_ray import tune_without_variables

PROGRAM = """
import sys
from qhn.sweeps.driver.local_ray import tune_without_mlflow
import qhn.sweeps.tracking
with tune_without_mlflow():
    # What Tune does when a run with callbacks begins.
    from ray.air._internal.usage import tag_callbacks
    from ray.tune import Callback
    tag_callbacks([Callback()])
    print("mlflow" in sys.modules)
# A program that has called us finds Ray's integration as it is.
from ray.air.integrations import mlflow as integration
print(integration.mlflow.__name__)
"""


def test_tune_runs_without_mlflow_in_the_driver():
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    found = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert found.stdout.split() == ["False", "mlflow"], found.stderr


def test_ray_starts_as_if_it_had_no_dashboard():
    # What Ray asks before it starts its agents.
    from ray._private.utils import get_dashboard_dependency_error

    for _ in range(2):  # whether the module was imported before or not
        with bare_ray():
            assert isinstance(get_dashboard_dependency_error(), ImportError)
        assert get_dashboard_dependency_error() is None


BARE = """
import psutil, ray
from qhn.sweeps.driver.bare_ray import bare_ray
with bare_ray():
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
assert ray.get(ray.remote(lambda: 6 * 7).remote()) == 42
below = psutil.Process().children(recursive=True)
print(sum(any("monitor.py" in a for a in p.cmdline()) for p in below))
print(sum(any("dashboard.py" in a for a in p.cmdline()) for p in below))
from ray._private.node import Node
print(Node.start_monitor.__name__, Node.start_log_monitor.__name__, Node.start_api_server.__name__)
"""


def test_a_bare_ray_computes_without_the_processes_that_nobody_needs():
    command = [sys.executable, "-W", "ignore", "-c", BARE]
    found = subprocess.run(command, capture_output=True, text=True, timeout=240)
    left_out = "start_monitor start_log_monitor start_api_server"
    assert found.stdout.splitlines()[-3:] == ["0", "0", left_out], found.stderr


class Trial:
    """Stands for the class of a trial's process."""


@pytest.fixture
def variables(monkeypatch):
    """What Tune would set in the process of a trial."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")

    def find():
        made = class_cache._ActorClassCache().get(Trial)
        return (made._default_options["runtime_env"] or {}).get("env_vars", {})

    return find


def test_processes_of_trials_get_no_credentials_and_can_be_those_that_wait(variables):
    before = variables()
    assert before["AWS_SECRET_ACCESS_KEY"] == "planted"
    with tune_without_variables():
        # With any variable at all, Ray would start a new process.
        assert not variables()
    assert variables() == before
