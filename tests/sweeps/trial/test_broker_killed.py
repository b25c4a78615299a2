"""A real sweep on the rehearsal device, whose broker is killed in mid-work."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from contextlib import closing

from qhn.lanes.ledger import ENDS
from qhn.sweeps.store.lane_place import open_place

SWEEP = """\
name: practice
datasets: [{name: moons, train: 10, test: 10}]
networks: [{kind: mlp, hidden: 1}]
ansatze: [{depth: 1}]
objectives: [mle]
devices:
  - name: DEVICE
    shots: 9
    estimator: spsa
training: {steps: 9, report_every: 9}
seeds: [0, 1, 2]
"""
BEHAVIOUR = """\
rehearsal
    speedup: 20
    queue_s: 2
    submissions_per_minute: 1000"""


def test_another_broker_takes_over_and_nothing_is_paid_twice(qhn):
    file = qhn.write(SWEEP.replace("DEVICE", BEHAVIOUR))
    ids = qhn.trials(file)
    process = qhn.start("sweep", "run", file)
    place = open_place(str(qhn.root), "rehearsal-rehearsal")

    def broker():
        found = re.match(r"process (\d+) on", place.holder() or "")
        return None if found is None else int(found[1])

    def done():
        return sum(record.is_over for record in place.ledger.read())

    qhn.wait(process, lambda: done() >= 3 and broker() is not None)
    os.kill(broker(), signal.SIGKILL)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert qhn.status("practice")["finished"] == 3
    records = place.ledger.read()
    assert {record.state for record in records} <= ENDS
    with closing(sqlite3.connect(next(qhn.root.rglob("rehearsal.sqlite")))) as provider:
        steps = provider.execute(
            "SELECT trial, step, count(*) FROM parts JOIN jobs ON parts.job = jobs.number "
            "WHERE failure IS NULL GROUP BY trial, step"
        ).fetchall()
    assert len(steps) == 3 * 10
    assert {count for _, _, count in steps} == {1}
    # The numbers are those of the same training without a queue and without an accident.
    results = qhn.store.results(ids)
    undisturbed = qhn.write(SWEEP.replace("DEVICE", "exact"))
    qhn.train(undisturbed)
    exact = qhn.store.results(qhn.trials(undisturbed))
    by_metrics = [sorted(str(r.metrics) for r in found.values()) for found in (results, exact)]
    assert len(set(by_metrics[0])) == 3
    assert by_metrics[0] == by_metrics[1]
