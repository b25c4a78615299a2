"""Sweeps on a Ray whose machines are lost or drained, and on which others join."""

import json
import signal
from contextlib import suppress

import psutil
import pytest
from ray_machines import RayMachines

from qhn.devices.rehearsal.record import Record

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

# A trial takes some seconds, so that a machine can be lost while it runs, again and again.
SPEC = """
name: lost
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle]
devices: [{name: exact, noise: 0.1, trajectories: %(trajectories)s}]
seeds: %(seeds)s
training: {steps: %(steps)s, report_every: 20}
"""
QUEUED = "{name: rehearsal, shots: 16, label: qpu-a, speedup: 200, queue_s: 2}"
LANE = """
lanes: {qpu: {devices: [qpu-a], jobs_in_flight: 2}}
"""
# A driver that gives a trial up after the second death that counts, and not after the fourth.
STRICT = """
from qhn.cli import main
from qhn.sweeps.driver import deaths
deaths.RESTARTS = 1
main()
"""
TRIAL = "ray::ResourceTrainable"


@pytest.fixture(scope="module")
def ray(tmp_path_factory):
    """A Ray whose head takes no simulated trials."""
    folder = tmp_path_factory.mktemp("ray")
    machines = RayMachines(folder)
    try:
        machines.head(folder, "--num-cpus=0", "--include-dashboard=false")
        yield machines
    finally:
        machines.end()


@pytest.fixture
def machines(ray):
    yield ray
    ray.leave_head()


@pytest.fixture
def sweep(qhn, machines, new_qhn):
    return Sweep(qhn, machines, new_qhn)


class Sweep:
    """A sweep that a driver runs on that Ray."""

    def __init__(self, qhn, machines, new_qhn):
        self._qhn, self._machines, self._new_qhn = qhn, machines, new_qhn
        self._summary = qhn.folder / "summary.json"

    def start(self, text, program=None):
        self._file = self._qhn.write(text)
        self._trials = self._qhn.trials(self._file)
        self.driver = self._qhn.start("sweep", "run", self._file, *self._options, program=program)

    def resume(self):
        self.driver = self._qhn.start("sweep", "resume", "lost", *self._options)

    @property
    def _options(self):
        return "--address", self._machines.address, "--summary", self._summary

    def wait(self, condition):
        """Wait until something is true while the driver runs, and return it."""
        found = []
        self._qhn.wait(self.driver, lambda: found.append(condition()) or found[-1])
        return found[-1]

    def wait_for_a_step(self):
        """Wait until all trials have been saved at later steps than now."""
        before = self.steps()
        self.wait(lambda: all(now > then for now, then in zip(self.steps(), before, strict=True)))

    def steps(self):
        """The steps at which the trials were saved last."""
        found = [self._qhn.store.checkpoint(trial) for trial in self._trials]
        return [0 if one is None else one.step for one in found]

    def worker_with(self, title):
        """The machine with this process, which must not be the head."""
        while True:
            machine, process = self.wait(lambda: self._machines.with_process(title))
            if machine is not self._machines.first:
                return machine
            # Ray starts it again on any machine.
            process.kill()
            self.wait(lambda ended=process: not ended.is_running())

    def check(self, last_step):
        """It is not over yet, and ends with the results that it has where nothing is lost."""
        assert not any(self._qhn.store.results(self._trials))
        output, _ = self.driver.communicate(timeout=240)
        assert self.driver.returncode == 0, output
        (self._qhn.folder / "calm").mkdir()
        calm = self._new_qhn(self._qhn.folder / "calm")
        digest = calm.train(calm.write(self._file.read_text()))
        assert json.loads(self._summary.read_text())["results_digest"] == digest
        self._qhn.check_tracking(self._file, "lost", last_step)


def test_trials_go_on_elsewhere_if_a_machine_is_lost_or_drained(sweep, machines, tmp_path):
    sweep.start(SPEC % {"seeds": 1, "steps": 500, "trajectories": 1000}, STRICT)
    # Nothing can run before a machine has joined.
    one = machines.join(tmp_path, "--num-cpus=1")
    sweep.wait_for_a_step()
    one.lose()
    two = machines.join(tmp_path, "--num-cpus=1")
    sweep.wait_for_a_step()
    # As Kubernetes does it, where the first process of a container gets the signal.
    two.command.send_signal(signal.SIGTERM)
    three = machines.join(tmp_path, "--num-cpus=1")
    sweep.wait_for_a_step()
    # As Slurm does it, where all processes get it.
    for process in [psutil.Process(three.command.pid), *three.processes()]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
    machines.join(tmp_path, "--num-cpus=1")
    sweep.check(500)
    for drained in (two, three):
        drained.command.wait(60)
        # It was not killed with the trial on it.
        assert "Local node finished draining" in drained.said


def test_tables_and_broker_of_a_lost_machine_are_made_anew(sweep, machines, qhn, tmp_path):
    both = SPEC.replace("devices: [", f"devices: [{QUEUED}, ") + LANE
    machines.join(tmp_path, "--num-cpus=1")
    sweep.start(both % {"seeds": 1, "steps": 80, "trajectories": 8000})
    lost = [sweep.worker_with(name) for name in ("ray::Tables", "ray::BrokerActor")]
    sweep.wait_for_a_step()
    for machine in lost:
        machine.lose()
    machines.join(tmp_path, "--num-cpus=1")
    sweep.check(80)
    with Record(qhn.root / "devices" / "rehearsal-qpu-a") as record:
        assert record.paid_twice() == {} and record.refusals() == []
        # One for each update, and one for the last report.
        assert sum(len(job.steps) for job in record.jobs()) == 81


def test_a_killed_driver_leaves_no_trial_on_a_ray_that_others_use(sweep, machines, qhn, tmp_path):
    machine = machines.join(tmp_path, "--num-cpus=2")
    sweep.start(SPEC % {"seeds": 2, "steps": 300, "trajectories": 1000})
    # The first trial may take its first steps while the process of the second still starts.
    left = sweep.wait(lambda: trials if len(trials := machine.processes(TRIAL)) == 2 else None)
    qhn.kill(sweep.driver)
    # The next run of the sweep needs the CPUs that they held.
    sweep.resume()
    sweep.check(300)
    _, alive = psutil.wait_procs(left, timeout=0)
    assert alive == []
