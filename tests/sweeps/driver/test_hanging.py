"""A trial whose process hangs, in a whole sweep on a real Ray."""

import psutil
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SPEC = """
name: hanging
datasets: [{name: moons, train: 50, test: 50}]
networks: [{hidden: 2}]
objectives: [mle]
seeds: 3
training: {steps: 40000, report_every: 2000}
time_limit: 12s
"""


def a_trial(ancestor):
    """The process of a trial that trains, by what Ray writes into its title; None if none does."""
    for process in psutil.Process(ancestor).children(recursive=True):
        try:
            if process.name().startswith("ray::") and ".train" in process.name():
                return process
        except psutil.Error:
            continue
    return None


def test_a_trial_that_hangs_is_ended_and_the_others_go_on(qhn):
    file = qhn.write(SPEC)
    checkpoints = [qhn.root / trial / "checkpoint.npz" for trial in qhn.trials(file)]
    driver, found = qhn.start("sweep", "run", file, "--cpus", 2), []

    def trains():
        if any(path.exists() for path in checkpoints) and (process := a_trial(driver.pid)):
            found.append(process)
        return found

    qhn.wait(driver, trains)
    (hangs,) = found
    # It does nothing more, and hears of nothing, also not of its own end.
    hangs.suspend()
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 1, output
    counts = {"planned": 3, "finished": 2, "failed": 1, "running": 0}
    assert qhn.status("hanging") == counts
    (error,) = qhn.store.outcomes(qhn.trials(file)).errors.values()
    assert "time_limit = 12 s" in error.message
    assert error.message.split(";")[0] in " ".join(output.split())
    psutil.wait_procs([hangs], timeout=60)
    assert not hangs.is_running()
