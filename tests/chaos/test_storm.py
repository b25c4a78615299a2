"""Whole sweeps with real Ray on a rehearsal device where much goes wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psutil
import pytest
from killing import Killer, Tally
from storm import QUEUE, Storm, undisturbed
from witnesses import Witnesses, disagreements

from qhn.devices.rehearsal.record import Record
from qhn.sweeps.driver.neighbours import clear_leftovers, private_folder
from qhn.sweeps.store.formats import FORMAT
from qhn.sweeps.store.lane_place import open_place

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

WEATHER = "transient_rate: 0.2, timeout_rate: 0.05, timeout_accepted: 1, session_jobs: 10"
# What happens is drawn from submission ids, which begin with the id of the store. With this one, 2
# of the 30 submissions time out; with an id that the store drew itself, it could be none.
STORE_ID = "storm5"
SECRETS = {
    "QISKIT_IBM_TOKEN": "planted-token-of-qiskit",
    "IQM_TOKEN": "planted-token-of-iqm",
    "AWS_SECRET_ACCESS_KEY": "planted-key-of-braket",
    "MLFLOW_TRACKING_PASSWORD": "planted-key-of-tracking",
}
PLANTED = re.compile(rb"planted-(?:token|key)-of-[a-z]+")


@pytest.fixture(autouse=True)
def nothing_left():
    """No test finds what drivers of others before it, killed on purpose, have left."""
    clear_leftovers()


def secrets_in(*folders):
    """The files below some folders that contain a planted secret."""
    found = []
    for path in (path for folder in folders for path in Path(folder).rglob("*")):
        try:
            if path.is_file() and PLANTED.search(path.read_bytes()):
                found.append(path)
        except OSError:  # it is gone by now
            continue
    return found


def secrets_told(pid):
    """The command lines and titles below a process, as `ps` shows them, with a planted secret."""
    found = []
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        except OSError:
            continue
        if PLANTED.search(line):
            found.append(line)
    return found


def test_every_trial_finishes_and_no_secret_is_told(qhn, tmp_path):
    storm = Storm("ibm-open", trials=3, steps=9, speedup=100, weather=WEATHER, simulated=True)
    file = qhn.write(storm.text)
    qhn.environment |= SECRETS
    content = json.dumps({"format": FORMAT, "id": STORE_ID})
    qhn.store.backend.put("lanes/store.json", content.encode())
    driver = qhn.start("sweep", "run", file, "--summary", tmp_path / "summary.json")
    told, witnesses = [], Witnesses(qhn.root)

    def some_jobs_were_taken():
        told.extend(secrets_told(driver.pid))
        return len(witnesses.jobs_since(0)) >= 10

    qhn.wait(driver, some_jobs_were_taken)
    witnesses.close()
    # Ray's own logs are deleted when the sweep ends.
    assert not secrets_in(private_folder())
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    assert not told
    assert not secrets_in(tmp_path)
    assert not PLANTED.search(output.encode())
    with Record(qhn.root / "devices" / QUEUE) as record:
        kinds = {event.kind for event in record.events()}
    # Sessions have ended too, after 10 jobs each. It is noted only if a submission meets it first.
    assert {"transient", "timeout, accepted"} <= kinds
    assert disagreements(qhn.root, storm) == []
    assert qhn.status("storm")["finished"] == 6
    assert undisturbed(storm, tmp_path / "calm") in (tmp_path / "summary.json").read_text()


def test_kills_change_no_number_and_pay_for_nothing_twice(qhn, tmp_path):
    storm = Storm("ibm-open", trials=3, steps=14, speedup=100, jobs_in_flight=2, together=2)
    file, tally = qhn.write(storm.text), Tally()
    driver = qhn.start("sweep", "run", file)
    killer = Killer(qhn.root, driver, tally)
    # In the gap: the provider has the job, and its id is not in the ledger yet.
    assert killer.kill_after(3, "actor", in_gap=True)
    assert killer.kill_after(8, "broker", in_gap=True)
    assert killer.kill_after(14, "driver", in_gap=True)
    killer.close()
    driver.communicate()
    summary = qhn.run(file)
    assert tally.kills == {"actor": 1, "broker": 1, "driver": 1}
    assert summary["finished"] + summary["skipped"] == 3
    assert summary["results_digest"] == undisturbed(storm, tmp_path / "calm")
    assert disagreements(qhn.root, storm) == []


def test_where_nobody_can_know_a_person_decides(qhn, tmp_path):
    calm = "queue_s: 2, timeout_rate: 0"
    storm = Storm("iqm", trials=2, steps=5, speedup=50, weather=calm)
    file, tally = qhn.write(storm.text), Tally()
    driver = qhn.start("sweep", "run", file)
    killer = Killer(qhn.root, driver, tally)
    # If the broker lived on, what the trial has told it last could still reach it.
    assert killer.kill_after(3, "both", in_gap=True)
    killer.close()
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 1, output
    # It stops and says what may have been paid for, where to look, and both ways to go on.
    said = " ".join(output.split())
    assert "It may have been accepted and paid for" in said
    abandon = re.search(r"qhn lanes jobs rehearsal-qpu-a --abandon (\S+)\.", said)
    assert abandon is not None
    assert f"--resubmit {abandon[1]}." in said
    assert qhn.status("storm") == {"planned": 2, "finished": 1, "failed": 1, "running": 0}
    # It is on the provider's list: it is given up, counts as paid, and its step is paid for anew.
    decided = qhn("lanes", "jobs", QUEUE, "--abandon", abandon[1])
    assert f"{abandon[1]} is given up, and counts as paid" in decided
    assert qhn.train(file) == undisturbed(storm, tmp_path / "calm")
    with Record(qhn.root / "devices" / QUEUE) as record:
        ((_, ids),) = record.paid_twice().items()
        cost = sum(job.cost for job in record.jobs())
    assert ids[0] == abandon[1]
    ledger = open_place(str(qhn.root), QUEUE).ledger.read()
    assert sum(noted.used.cost for noted in ledger) == pytest.approx(cost)
