"""What must hold after a sweep that was disturbed, read from the witnesses."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from qhn.core.errors import NotFoundError
from qhn.devices.rehearsal.record import Record
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec

_PAGE = 1000


def wrong_runs(text: str) -> list[str]:
    """What is wrong with the runs of a sweep in MLflow, in words; nothing where all is right.

    There must be one finished run for each planned trial, and its steps must increase. The
    tracking server, its user and its password are those in the environment of this process.

    Args:
        text: the text of the sweep file.
    """
    from mlflow.tracking import MlflowClient

    plan = make_plan(parse_spec(text))
    client: Any = MlflowClient()
    experiment = client.get_experiment_by_name(plan.name)
    if experiment is None:
        return [f"there is no experiment {plan.name!r}"]
    runs, token = [], None
    while True:
        page = client.search_runs(
            [experiment.experiment_id],
            "tags.`qhn.kind` = 'trial'",
            max_results=_PAGE,
            page_token=token,
        )
        runs += list(page)
        token = page.token
        if not token:
            break
    wrong = []
    counts = Counter(run.data.tags["qhn.trial_id"] for run in runs)
    planned = {trial.trial_id for trial in plan.trials}
    if twice := sorted(trial for trial, count in counts.items() if count > 1):
        wrong.append(f"{len(twice)} trials have several runs, such as {twice[0]}")
    if counts.keys() != planned:
        wrong.append(f"{len(counts.keys() ^ planned)} trials are planned or in MLflow alone")
    if unfinished := [run for run in runs if run.info.status != "FINISHED"]:
        states = Counter(run.info.status for run in unfinished)
        wrong.append(f"runs that are not finished: {dict(states)}")
    for run in runs:
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "nll")]
        if not steps or steps != sorted(set(steps)):
            wrong.append(f"run {run.info.run_id} has the steps {steps}")
    return wrong


def wrong_payments(record: Path) -> tuple[int, list[str]]:
    """How many jobs the processor has taken, and what is wrong with what was paid for them."""
    try:
        with Record(record) as found:
            jobs, twice = found.jobs(), found.paid_twice()
    except NotFoundError:
        return 0, ["the processor has no record"]
    return len(jobs), [f"paid twice: {twice}"] if twice else []
