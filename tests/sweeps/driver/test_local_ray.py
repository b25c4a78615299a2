"""What the driver's process must do without."""

import subprocess
import sys

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
