"""What `qhn sweep plan` says of queued devices, without reaching any."""

from __future__ import annotations

import json

import pytest

FILE = """\
name: priced
datasets: moons
networks: {hidden: 1}
objectives: mle
devices: [exact, {name: rehearsal, preset: braket, shots: 64, label: qpu-a}]
seeds: 2
training: {steps: 9}
lanes:
  main:
    devices: qpu-a
    jobs_in_flight: 1
    budget:
      cost: %s
"""


def test_the_table_and_the_json_have_each_lane(qhn):
    file = qhn.write(FILE % 1000)
    output = qhn("sweep", "plan", file)
    # 2 trials of 10 evaluations: 20 jobs of 37 x 64 shots, each 0.30 and 0.001 a shot.
    (row,) = [line for line in output.splitlines() if line.split()[:1] == ["main"]]
    assert row.split()[:6] == ["main", "2", "20", "740", "47,360", "20"]
    assert "53.36 rehearsed USD" in row
    assert "lane main (qpu-a): 1 job in flight, 2 trials at once" in output
    assert "the budget is 1,000 rehearsed USD for the sweep" in output
    free = "\n".join((FILE % 1000).splitlines()[:-2])
    assert "; no budget limits it" in qhn("sweep", "plan", qhn.write(free))
    found = json.loads(qhn("sweep", "plan", file, "--json"))
    (lane,) = found["lanes"]
    assert (found["trials"], found["left"]) == (4, 4)
    assert (lane["name"], lane["devices"], lane["jobs"]) == ("main", ["qpu-a"], 20)
    assert lane["cost"] == pytest.approx(20 * (0.3 + 37 * 64 * 0.001))


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_sweep_over_its_budget_is_refused(qhn, command):
    output = qhn("sweep", command, qhn.write(FILE % 20), code=2)
    assert (
        "line 13: lanes.main.budget.cost: the budget of the lane main is 20 rehearsed USD" in output
    )
    assert not (qhn.root / "sweeps").exists()
    if command == "plan":
        assert "qpu-a" in qhn("sweep", "plan", qhn.folder / "sweep.yaml", "--over-budget")
