"""What a job is called, what it runs, and what travels with it."""

import os
import shlex

import pytest

from qhn.core.errors import InvalidValueError
from qhn.sweeps.jobs.commands import (
    Options,
    is_run_of,
    is_same_everywhere,
    run_job,
    small_job,
)
from qhn.sweeps.jobs.inside import enter_job
from qhn.sweeps.jobs.server import JobState
from qhn.version import VERSION


def words(job):
    return shlex.split(job.command)


def test_a_sweep_runs_on_the_ray_of_its_cluster_from_a_copy_of_its_file(tmp_path):
    job = run_job("first", tmp_path / "first.yaml", Options())
    begin = ["env", f"QHN_SUBMITTED_BY={VERSION}", "QHN_ADDRESS=", "qhn", "sweep", "run"]
    assert words(job) == [*begin, "first.yaml", "--address", "auto"]
    assert job.folder == tmp_path
    # Ray's own stop must leave the time to save trials.
    assert job.patience_s >= 30


def test_options_are_passed_on(tmp_path):
    options = Options("s3://bucket/a b", "http://mlflow:5000", 3, True, True)
    job = run_job("first", tmp_path / "first.yaml", options)
    assert words(job)[9:] == [
        *("--store", "s3://bucket/a b", "--tracking-uri", "http://mlflow:5000", "--cpus", "3"),
        *("--retry-failed", "--over-budget"),
    ]


def test_a_job_is_found_by_its_sweep_and_its_store(tmp_path):
    job = run_job("first", tmp_path / "first.yaml", Options(store="s3://bucket/a"))
    assert job.job_id.startswith("qhn-run-first-")
    state = JobState(job.job_id, "RUNNING", about=job.about)
    assert is_run_of(state, "first", None) and is_run_of(state, "first", "s3://bucket/a")
    assert not is_run_of(state, "first", "s3://bucket/b")
    assert not is_run_of(state, "second", None)
    small = small_job("status", "first", [], None)
    assert not is_run_of(JobState(small.job_id, "RUNNING", about=small.about), "first", None)


def test_two_jobs_of_a_sweep_have_different_ids(tmp_path):
    ids = {run_job("first", tmp_path / "first.yaml", Options()).job_id for _ in range(5)}
    assert len(ids) == 5


def test_nothing_in_a_name_reaches_the_shell():
    job = small_job("status", "$(rm -rf x)\nfirst; ls", ["--json"], None)
    assert words(job)[-1] == "$(rm -rf x)\nfirst; ls"
    assert words(job)[-2] == "--"
    assert not set(job.job_id) & set(" ;()$\n/")


@pytest.mark.parametrize(
    "options",
    [
        Options(tracking_uri="http://anna:secret@mlflow:5000"),
        Options(tracking_uri="postgresql://anna:secret@database/mlflow"),
        Options(store="s3://key:secret@bucket/place"),
    ],
)
def test_no_password_travels_with_a_job(tmp_path, options):
    with pytest.raises(InvalidValueError, match="shown in Ray's dashboard") as refused:
        run_job("first", tmp_path / "first.yaml", options)
    assert "secret" not in str(refused.value)


def test_a_relative_folder_has_no_meaning_on_another_machine(tmp_path):
    with pytest.raises(InvalidValueError, match="absolute path there, but got 'results'"):
        run_job("first", tmp_path / "first.yaml", Options(store="results"))
    for store in ("/shared/store", "~/store", "file:///shared/store", "s3://bucket/place"):
        assert store in words(run_job("first", tmp_path / "a.yaml", Options(store=store)))


def test_only_addresses_mean_the_same_everywhere():
    assert is_same_everywhere("s3://bucket/place")
    for store in ("/shared/store", "~/.qhn", "results", "file:///shared/store", "memory://a"):
        assert not is_same_everywhere(store)


def test_a_job_of_another_version_of_qhn_is_refused(monkeypatch):
    monkeypatch.setenv("QHN_SUBMITTED_BY", "0.0.9")
    with pytest.raises(InvalidValueError, match=r"comes from qhn 0\.0\.9"):
        enter_job()


def test_trials_do_not_get_the_surroundings_of_the_job(monkeypatch):
    monkeypatch.setenv("QHN_SUBMITTED_BY", VERSION)
    told = '{"metadata": {"a": "b"}, "runtime_env": {"working_dir": "gcs://x.zip"}}'
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", told)
    enter_job()
    assert os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"] == '{"metadata": {"a": "b"}}'
