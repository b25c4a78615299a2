"""Plans, trials and runs, as tests of tracking need them."""

from qhn.core.metrics import BY_NAME
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialRecord, TrialResult
from qhn.sweeps.tracking import SweepRuns

SPEC = """
name: NAME
datasets: [moons]
objectives: [mle, {name: elbo, lambda: [1]}]
seeds: SEEDS
"""
NOTHING = TrialRecord(History(), None, None)
FIRST_STAMP = 1_700_000_000_000
ENDED_MS = 1_700_000_009_000


def plan_of(name, seeds=2, spec=SPEC):
    return make_plan(parse_spec(spec.replace("NAME", name).replace("SEEDS", str(seeds)), "test"))


def open_runs(location, name, records=None, **changes):
    """The runs of a sweep (a name or a plan) whose store has some records by trial id."""
    known = {} if records is None else records
    plan = plan_of(name, **changes) if isinstance(name, str) else name
    return SweepRuns(location, plan, lambda trial: known.get(trial.trial_id, NOTHING))


def history(*steps, first_stamp=FIRST_STAMP, value=None):
    """Rows at some steps; each metric is a seventh of its step, or what ``value`` makes of it."""
    rows = History()
    for number, step in enumerate(steps):
        values = dict.fromkeys(BY_NAME, step / 7 if value is None else value(step))
        rows.append(step, first_stamp + number, values)
    return rows


def result(trial, rows, **changes):
    fields = {
        "trial_id": trial.trial_id,
        "status": "finished",
        "steps": rows.steps[-1],
        "metrics": rows.last(),
        "flags": {"collapse-to-prior": 10},
        "top_strings": ({"bits": "01", "probability": 0.75},),
        "training_seconds": 0.5,
        "started_ms": FIRST_STAMP,
        "finished_ms": ENDED_MS,
    }
    return TrialResult(**(fields | changes))


def ended(trial, rows, **changes):
    """The record of a trial with a result."""
    return TrialRecord(rows, result(trial, rows, **changes), None)


def runs_of(client, sweep, kind=None):
    experiment = client.get_experiment_by_name(sweep).experiment_id
    which = "" if kind is None else f"tags.`qhn.kind` = '{kind}'"
    return client.search_runs([experiment], which)


def steps_of(client, run, metric="nll"):
    return [point.step for point in client.get_metric_history(run.info.run_id, metric)]


class Killed(BaseException):
    """Stands for ``kill -9``."""


class Dying:
    """A client that dies after a number of requests that write."""

    def __init__(self, client, requests):
        self.client = client
        self.left = requests

    def __getattr__(self, name):
        def call(*args, **kwargs):
            if name.startswith(("create", "log", "set", "update", "delete")):
                if self.left == 0:
                    raise Killed
                self.left -= 1
            return getattr(self.client, name)(*args, **kwargs)

        return call


#: What each metric ends at, by seed.
FINAL = {0: 0.5, 1: 0.7, 2: 0.9}


def record_of(trial, final=None, **changes):
    """A trial that rises from 0 to its final value in two equal steps."""
    last = FINAL[trial.config.seed] if final is None else final
    rows = history(0, 10, 20, value=lambda step: last * step / 20)
    changes.setdefault("finished_ms", ENDED_MS + trial.config.seed)
    return ended(trial, rows, **changes)


def records_of(plan, **changes):
    return {trial.trial_id: record_of(trial, **changes) for trial in plan.trials}


def run_sweep(location, sweep, seeds, records=None, status="FINISHED", only=None):
    """Project a sweep as the driver does: what is unfinished, and then the close."""
    plan = plan_of(sweep, seeds)
    known = records_of(plan) if records is None else records
    runs = open_runs(location, sweep, known, seeds=seeds)
    return go_on(runs, plan, known, status, only)


def go_on(runs, plan, known, status="FINISHED", only=None):
    missing = runs.unfinished({trial.trial_id for trial in plan.trials})
    for trial in plan.trials[:only]:
        if trial.trial_id in missing:
            runs.project(trial, known.get(trial.trial_id, NOTHING))
    runs.interrupt()
    runs.close(status, {}, {}, "what it came to")
    return runs


def check_tree(client, sweep, plan):
    """One run per group and trial, each trial below its group; the groups' runs by label."""
    groups = {run.data.tags["qhn.group_id"]: run for run in runs_of(client, sweep, "group")}
    trials = {run.data.tags["qhn.trial_id"]: run for run in runs_of(client, sweep, "trial")}
    assert len(runs_of(client, sweep, "sweep")) == 1
    assert len(runs_of(client, sweep)) == 1 + len(groups) + len(trials)
    assert {*groups} == {trial.group_id for trial in plan.trials}
    assert {*trials} == {trial.trial_id for trial in plan.trials}
    for trial in plan.trials:
        tags = trials[trial.trial_id].data.tags
        assert tags["qhn.group_id"] == trial.group_id
        assert tags["mlflow.parentRunId"] == groups[trial.group_id].info.run_id
        assert tags["mlflow.runName"].startswith(f"seed={trial.config.seed} ")
    return {run.data.tags["qhn.group"]: run for run in groups.values()}


def content(client, sweep):
    """All that the page shows of a sweep, without what MLflow makes up: ids and its own clock."""
    found = []
    for run in runs_of(client, sweep):
        tags = {k: v for k, v in run.data.tags.items() if k != "mlflow.parentRunId"}
        points = {
            (name, point.step, point.timestamp, point.value)
            for name in run.data.metrics
            for point in client.get_metric_history(run.info.run_id, name)
        }
        times = run.info.start_time, run.info.end_time
        own = tags["qhn.kind"] == "sweep"
        found.append((tags, run.data.params, points, run.info.status, None if own else times))
    return sorted(found, key=repr)
