"""A sweep whose Ray ends under it, and which is continued on another one."""

import json

import pytest
from ray_machines import RayMachines

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SPEC = """
name: headless
datasets: [{name: moons, train: 50, test: 50}]
networks: [{hidden: 2}]
objectives: [mle]
seeds: 2
training: {steps: 30000, report_every: 2000}
"""


def test_a_sweep_whose_head_is_lost_is_continued_on_another_one(qhn):
    file, summary = qhn.write(SPEC), qhn.folder / "summary.json"
    checkpoints = [qhn.root / trial / "checkpoint.npz" for trial in qhn.trials(file)]
    machines = RayMachines(qhn.folder)
    try:
        machines.head(qhn.folder, "--num-cpus=1", "--include-dashboard=false")
        driver = qhn.start("sweep", "run", file, "--address", machines.address)
        qhn.wait(driver, lambda: any(path.exists() for path in checkpoints))
    finally:
        machines.end()
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 3, output
    said = " ".join(output.split())
    assert "Ray has stopped" in said
    assert "qhn sweep resume headless" in said
    assert "Traceback" not in output
    assert qhn.status("headless")["running"] == 0
    others = RayMachines(qhn.folder)
    try:
        others.head(qhn.folder, "--num-cpus=2", "--include-dashboard=false")
        options = ["--address", others.address, "--summary", summary]
        qhn.process("sweep", "resume", "headless", *options)
    finally:
        others.end()
    (qhn.folder / "calm").mkdir()
    calm = type(qhn)(qhn.folder / "calm")
    digest = calm.train(calm.write(SPEC))
    assert json.loads(summary.read_text())["results_digest"] == digest
    qhn.check_tracking(file, "headless", 30000)
