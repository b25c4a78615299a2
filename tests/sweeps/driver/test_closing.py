"""What becomes of a sweep that is stopped when all its trials have ended."""

from contextlib import nullcontext

import pytest

from qhn.core.metrics import BY_NAME
from qhn.sweeps.driver import run
from qhn.sweeps.planning.machine import this_machine
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult, open_store
from qhn.sweeps.tracking import tracking_location

TEXT = "{name: c, datasets: [moons], objectives: [mle], seeds: 1, training: {steps: 1}}"


class Writer:
    """Stands for the writer's process: a person presses Ctrl-C while it closes the sweep."""

    waiting = 0

    def __init__(self, *arguments):
        self.calls = []
        Writer.made = self

    start = wait_until_ready = lambda self: None

    def finish(self, trials, patience_s):
        return 0

    def close_sweep(self, *arguments):
        raise KeyboardInterrupt

    def abandon(self, status):
        self.calls.append(status)

    def end(self):
        self.calls.append("end")


def test_a_stop_while_the_sweep_is_closed_in_mlflow_leaves_no_run_open(tmp_path, monkeypatch):
    store = open_store(str(tmp_path))
    (trial,) = (plan := make_plan(parse_spec(TEXT))).trials
    metrics = dict.fromkeys(BY_NAME, 0.5)
    result = TrialResult(trial.trial_id, "finished", 1, metrics, {}, (), 1.0, 1000, 2000)
    store.save_result(result)
    monkeypatch.setattr(run, "WriterProcess", Writer)
    location, options = tracking_location(store), run.RunOptions(1, this_machine())
    with pytest.raises(KeyboardInterrupt):
        run.run_sweep(plan, TEXT, store, location, lambda board: nullcontext(), options)
    assert Writer.made.calls == ["KILLED", "end"]
