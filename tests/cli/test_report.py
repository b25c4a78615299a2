"""The last words of a run, on results that were made up (see made_results.py)."""

from __future__ import annotations

import io

from made_results import MADE, PLAN, groups
from rich.console import Console

from qhn.cli.report import print_report
from qhn.sweeps.driver.run import RunOutcome
from qhn.sweeps.driver.summary import RunSummary
from qhn.sweeps.tracking import TrackingLocation, tracking_location


def report(store, location, made=MADE):
    """What is printed after a run that left some trials."""
    found = groups(made)
    finished = sum(group.trials for group in found)
    summary = RunSummary(
        sweep="made",
        trials=len(PLAN.trials),
        finished=finished,
        failed=0,
        skipped=0,
        stopped=0,
        remaining=len(PLAN.trials) - finished,
        interrupted=False,
        training_seconds=1.0,
        wall_seconds=25.0,
        slots=2,
        overhead_ms_per_trial=None,
        results_digest="0" * 64,
        untracked=0,
    )
    console = Console(file=io.StringIO(), soft_wrap=True)
    print_report(console, PLAN, RunOutcome(summary, found, []), store, location)
    return console.file.getvalue()


def test_a_run_that_left_groups_untouched_says_so(qhn):
    begun = dict.fromkeys(MADE, ((None, None), 0.5)) | {"moons mle": ((0.5, 0.5), 0.5)}
    text = report(qhn.store, tracking_location(qhn.store), begun)
    assert "dataset" not in text.split("\n", 1)[0]
    assert "5 groups without a result are left out of the table." in text
    assert text.count("10 are left.") == 1


def test_the_last_line_opens_this_sweep(qhn, monkeypatch):
    monkeypatch.setenv("QHN_STORE", str(qhn.root))
    own = report(qhn.store, tracking_location(qhn.store))
    assert own.splitlines()[-1] == "browse the runs with: qhn ui made"
    other = f"sqlite:///{qhn.root}/other.db"
    elsewhere = report(qhn.store, tracking_location(qhn.store, other))
    assert elsewhere.splitlines()[-1] == f"browse the runs with: qhn ui made --tracking-uri {other}"
    served = report(qhn.store, TrackingLocation("http://me:secret@host:1"))
    assert served.splitlines()[-1] == "browse the runs at http://host:1"
