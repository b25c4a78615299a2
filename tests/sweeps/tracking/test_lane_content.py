"""What MLflow shows of a trial that used a quantum processor."""

from dataclasses import asdict, replace

from qhn.sweeps.store import TrialResult
from qhn.sweeps.tracking.lane_content import JOBS_TAG, METRICS, lane_metrics, lane_tags
from qhn.sweeps.trial.lane_use import LaneUse

RESULT = TrialResult("0" * 16, "finished", 5, {}, {}, (), 1.0, 1, 2)
USE = LaneUse(
    jobs=3, shots=600, qpu_seconds=6.0, cost=9.6, job_ids=["a", "b"], backend="ibm_torino shots=8"
)


def test_a_trial_that_is_simulated_has_none_of_it():
    assert lane_metrics(RESULT) == lane_metrics(None) == {}
    assert lane_tags(RESULT) == lane_tags(None) == {}


def test_every_metric_is_an_entry_of_the_account_of_a_trial():
    assert set(METRICS.values()) <= asdict(USE).keys()
    found = lane_metrics(replace(RESULT, lane=asdict(USE)))
    assert found.keys() == METRICS.keys()
    assert (found["qpu_jobs"], found["qpu_shots"], found["qpu_cost"]) == (3.0, 600.0, 9.6)


def test_tags_name_the_backend_its_calibration_and_the_newest_jobs():
    lane = asdict(replace(USE, calibrated="2026-01-01T00:00:00+00:00"))
    tags = lane_tags(replace(RESULT, lane=lane))
    assert tags == {
        "qhn.backend": "ibm_torino shots=8",
        "qhn.calibrated": "2026-01-01T00:00:00+00:00",
        "qhn.job_ids": "a b",
    }
    many = asdict(replace(USE, job_ids=[f"job-{number:08d}" for number in range(1000)]))
    text = lane_tags(replace(RESULT, lane=many))[JOBS_TAG]
    assert len(text) <= 5000 and text.endswith("job-00000999")


def test_entries_of_another_version_do_no_harm():
    assert lane_metrics(replace(RESULT, lane={"jobs": "many", "new": 1})) == {}
    assert lane_tags(replace(RESULT, lane={"job_ids": "x"})) == {}
