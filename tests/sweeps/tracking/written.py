"""A small sweep that a writer's thread writes to a server, and the check that nothing is amiss."""

import time

from served import LIMIT_S
from tracked_examples import NOTHING, check_tree, plan_of, record_of, runs_of, steps_of

from qhn.sweeps.tracking import SweepRuns, TrackingLocation, TrackingWriter


class Written:
    """A sweep of two groups with one trial each."""

    def __init__(self, uri, name):
        self.plan = plan_of(name, seeds=1)
        self.trials = self.plan.trials
        self.records = {}
        self.location = TrackingLocation(uri)
        self.writer = TrackingWriter(self.open, self.read, first_wait_s=0.02)
        self.writer.start()
        self.runs = self.writer.wait_until_ready()

    def open(self):
        return SweepRuns(self.location, self.plan, self.read)

    def read(self, trial):
        return self.records.get(trial.trial_id, NOTHING)

    def end(self, trials):
        self.records |= {trial.trial_id: record_of(trial) for trial in trials}
        self.writer.update(trials)

    def end_first(self):
        """End the first trial, and wait until it is written."""
        self.end(self.trials[:1])
        until(lambda: not self.runs.unfinished({self.trials[0].trial_id}))

    def finish(self):
        assert self.writer.finish(self.trials, LIMIT_S) == 0
        self.writer.close_sweep("FINISHED", {"a.txt": "text"}, {}, "note", patience_s=LIMIT_S)


def until(condition):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def check(client, sweep, plan):
    """Everything is there, and nothing twice."""
    groups = check_tree(client, sweep, plan)
    assert {run.info.status for run in runs_of(client, sweep)} == {"FINISHED"}
    for run in runs_of(client, sweep, "trial"):
        assert steps_of(client, run) == [0, 10, 20]
        (artifact,) = client.list_artifacts(run.info.run_id)
        assert artifact.path == "posterior.csv"
    assert all(run.data.metrics and run.data.tags["qhn.results"] for run in groups.values())
