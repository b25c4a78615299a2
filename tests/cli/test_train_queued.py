"""`qhn train` on devices with a queue, and what it says while it waits."""

from __future__ import annotations

import io
import json
import tempfile

import pytest
from rich.console import Console

from qhn.cli.waiting import Waiting, waiting
from qhn.devices.rehearsal.handle import RehearsalHandle
from qhn.sweeps.store import results_digest

OPTIONS = ("--hidden", 1, "--depth", 1, "--steps", 2, "--report-every", 1)
DEVICE = "{name: rehearsal, preset: braket, shots: 32, estimator: spsa, speedup: 100000}"
QUEUED = """
    name: queued
    datasets: {name: moons, test: 50}
    networks: {kind: mlp, hidden: 1}
    ansatze: {depth: 1}
    objectives: mle
    devices: [{name: rehearsal, shots: 16, estimator: spsa, speedup: 100000}]
    seeds: 2
    training: {steps: 2}
    lanes: {qpu: {devices: rehearsal, budget: {shots: 200, per: trial}}}
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files, which must be empty in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def test_the_numbers_are_those_of_the_exact_device(qhn, temporary):
    queued = json.loads(qhn("train", *OPTIONS, "--device", DEVICE, "--json"))
    exact = "{name: exact, shots: 32, estimator: spsa}"
    simulated = json.loads(qhn("train", *OPTIONS, "--device", exact, "--json"))
    assert queued["metrics"] == simulated["metrics"]
    assert queued["top_strings"] == simulated["top_strings"]
    assert (queued["lane"]["jobs"], queued["lane"]["shots"]) == (3, 3 * 3 * 32)
    assert queued["lane"]["queued_s"] > 0
    assert "lane" not in simulated
    assert not qhn.root.exists()


def test_reports_and_the_account_are_shown(qhn, temporary):
    output = qhn("train", *OPTIONS, "--device", DEVICE)
    # How the provider behaves is no part of the trial.
    assert '"device":{"estimator":"spsa","name":"rehearsal","shots":32}' in output
    rows = [line.split() for line in output.splitlines()]
    assert [row[0] for row in rows if row[:1] and row[0] in ("0", "1", "2")] == ["0", "1", "2"]
    # Braket asks 0.3 for a job and 0.0009 for a shot.
    assert "3 jobs, 288 shots, " in output and " rehearsed USD; " in output


def test_an_interruption_leaves_nothing(qhn, temporary, monkeypatch):
    def interrupt(self, job_id):
        assert list(temporary.iterdir()) != []
        raise KeyboardInterrupt

    monkeypatch.setattr(RehearsalHandle, "look", interrupt)
    output = qhn("train", *OPTIONS, "--device", DEVICE, code=130)
    assert "Interrupted. Nothing is kept" in output
    # The job was a rehearsal.
    assert "goes on at the provider" not in output


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("{name: rehearsal, label: qpu}", "--device: a label must stand in a sweep file"),
        ("{name: rehearsal, preset: ibm}", "did you mean iqm?"),
        ("{name: rehearsal, executions_per_job: 9}", "fit"),
        ("qiskit:Ibm", "--device: a qiskit backend must be aer"),
    ],
)
def test_what_is_wrong_is_said_with_its_option(qhn, device, said):
    assert said in qhn("train", *OPTIONS, "--device", device, code=2)


def test_trials_of_a_sweep_can_be_trained_here_in_their_lane(qhn):
    """The helper of other tests: what it leaves is what a sweep leaves."""
    file = qhn.write(QUEUED)
    digest = qhn.train(file)
    results = [qhn.store.result(trial) for trial in qhn.trials(file)]
    assert digest == results_digest(results)
    assert [result.lane["jobs"] for result in results] == [3, 3]
    assert len(json.loads(qhn("lanes", "jobs", "qpu", "--json"))) == 6


def test_a_terminal_has_one_line_that_changes_and_goes():
    text = io.StringIO()
    with waiting(Console(file=text, force_terminal=True, width=60)) as shown:
        shown.say("step 3: executing [x]")
    assert "step 3: executing [x]" in text.getvalue()
    # The line is erased in the end.
    assert text.getvalue().endswith("\x1b[2K")


def test_a_log_gets_a_line_now_and_then():
    text, now = io.StringIO(), [0.0]
    shown = Waiting(Console(file=text), lambda: now[0])
    for now[0] in range(25):
        shown.say(f"step {now[0]} [x]")
    assert text.getvalue().splitlines() == ["step 10 [x]", "step 20 [x]"]
