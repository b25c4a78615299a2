"""Whole sweeps with real Ray, a real store and real MLflow."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.outcomes import outcomes
from qhn.sweeps.spec import parse_spec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

STEPS = 2500
OBJECTIVES = "[mle, {name: elbo, lambda: 1}, {name: selbo, lambda: 30, prior_samples: 16}]"


def sweep(seeds):
    return (
        "name: whole\n"
        "datasets: [gaussian, moons]\n"
        f"objectives: {OBJECTIVES}\n"
        f"seeds: {seeds}\n"
        f"training: {{steps: {STEPS}, report_every: 100}}\n"
    )


def test_kill_resume_and_extend_give_the_numbers_of_an_undisturbed_run(qhn, tmp_path_factory):
    file = qhn.write(sweep(seeds=2))
    trials = qhn.trials(file)
    undisturbed = type(qhn)(tmp_path_factory.mktemp("undisturbed"))
    expected = undisturbed.train(file)

    # The driver dies while trials run and others are over.
    driver = qhn.start("sweep", "run", file, "--cpus", 2)
    folder = qhn.store.sweep("whole")
    qhn.wait(driver, folder.running)
    qhn.wait(driver, lambda: len(qhn.store.finished(trials)) >= 3)
    qhn.kill(driver)
    status = qhn.status("whole")
    assert (status["planned"], status["running"], status["failed"]) == (12, 0, 0)
    assert 3 <= status["finished"] < 12

    # In the second run, trial processes die: as soon as there is one, while it still starts or
    # takes up its first trial, and once more later, in the midst of training.
    driver = qhn.start("sweep", "run", file, "--cpus", 2)
    qhn.wait(driver, lambda: kill_an_actor(driver.pid, "TrialActor", "ResourceTrainable"))
    over = len(qhn.store.finished(trials))
    qhn.wait(driver, lambda: len(qhn.store.finished(trials)) > over)
    qhn.wait(driver, lambda: kill_an_actor(driver.pid, "ResourceTrainable.train"))
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    qhn.check_tracking(file, "whole", STEPS)
    summary = qhn.run(file)
    assert summary["skipped"] == 12
    assert summary["results_digest"] == expected

    # One seed more: the old trials stay, and the whole equals a sweep begun with three seeds.
    summary = qhn.run(qhn.write(sweep(seeds=3)))
    assert (summary["skipped"], summary["finished"], summary["trials"]) == (12, 6, 18)
    qhn.check_tracking(qhn.folder / "sweep.yaml", "whole", STEPS)
    (parent,) = qhn.runs("whole", "sweep")
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["qhn.results_digest"] == summary["results_digest"]
    names = {artifact.path for artifact in qhn.client().list_artifacts(parent.info.run_id)}
    assert names == {"sweep.yaml", "summary.csv"}


def kill_an_actor(driver: int, *titles: str) -> bool:
    """Kill a trial process of a driver whose title says one of these, if there is one."""
    for process in psutil.Process(driver).children(recursive=True):
        try:
            title = " ".join(process.cmdline())
            if any(words in title for words in titles):
                process.kill()
                return True
        except psutil.Error:
            continue
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_clean_and_says_how_to_go_on(qhn, number):
    file = qhn.write(sweep(seeds=1))
    paths = [qhn.root / trial / "result.json" for trial in qhn.trials(file)]
    driver = qhn.start("sweep", "run", file, "--cpus", 2)
    qhn.wait(driver, lambda: any(path.exists() for path in paths))
    output = qhn.end(driver, number)
    assert driver.returncode == 130, output
    assert "qhn sweep resume whole" in output
    assert "Traceback" not in output
    assert {run.info.status for run in qhn.runs("whole")} <= {"FINISHED", "KILLED"}
    assert [run.info.status for run in qhn.runs("whole", "sweep")] == ["KILLED"]
    if number == signal.SIGINT:  # one is enough: both stop the driver in the same way
        qhn.process("sweep", "resume", "whole")
        qhn.check_tracking(file, "whole", STEPS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_before_training_is_clean_as_well(qhn, number):
    file = qhn.write(sweep(seeds=1))
    summary = qhn.folder / "summary.json"
    summary.write_text("of an earlier run")
    driver = qhn.start("sweep", "run", file, "--summary", summary)
    qhn.wait(driver, lambda: qhn.store.sweep("whole").exists())
    output = qhn.end(driver, number)
    assert driver.returncode == 130, output
    assert "qhn sweep resume whole" in output
    assert "Traceback" not in output
    assert not summary.exists()


def test_trials_that_end_while_tune_stops_are_shown_as_well(qhn):
    # One piece of work each: what they report after the stop, nobody hears.
    file = qhn.write(
        "name: p\ndatasets: [moons]\nobjectives: [mle]\nseeds: 2\n"
        "training: {steps: 40000, report_every: 40000}\n"
    )
    driver = qhn.start("sweep", "run", file, "--cpus", 2)
    qhn.wait(driver, lambda: len(qhn.store.sweep("p").running()) == 2)
    # The command, not a signal: here it meets a true driver, of which the lock names the process.
    assert "which runs p" in qhn("sweep", "stop", "p")
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode in (0, 130), output
    finished = qhn.store.finished(qhn.trials(file))
    runs = {run.data.tags["qhn.trial_id"]: run.info.status for run in qhn.runs("p")}
    assert {trial for trial, status in runs.items() if status == "FINISHED"} == finished
    assert set(runs.values()) <= {"FINISHED", "KILLED"}
    (parent,) = qhn.runs("p", "sweep")
    assert parent.info.status == ("FINISHED" if driver.returncode == 0 else "KILLED")


def test_runs_of_a_killed_driver_are_closed_though_the_file_asks_for_others_now(qhn):
    text = "{{name: k, datasets: [{}], objectives: [mle], seeds: 2, training: {{steps: {}}}}}"
    file = qhn.write(text.format("moons", 10**6))
    driver = qhn.start("sweep", "run", file, "--cpus", 2)
    qhn.wait(driver, lambda: qhn.store.sweep("k").running())
    qhn.wait(
        driver,
        lambda: any((qhn.root / t / "checkpoint.npz").exists() for t in qhn.trials(file)),
    )
    qhn.wait(driver, lambda: len(qhn.runs("k")) == 2)
    qhn.kill(driver)
    # Its writer marks what it had open, and the next one waits for that. As if it had been killed
    # as well, before it could:
    lock = qhn.store.sweep("k").tracking_lock
    assert lock.acquire()
    assert {run.info.status for run in qhn.runs("k")} == {"KILLED"}
    for run in qhn.runs("k"):
        qhn.client().update_run(run.info.run_id, "RUNNING")
    lock.release()
    file = qhn.write(text.format("ring", 20))
    qhn.train(file)
    qhn.run(file)
    assert sorted(run.info.status for run in qhn.runs("k")) == ["FINISHED"] * 2 + ["KILLED"] * 2


IMPATIENT = (
    "import sys; from qhn.sweeps.driver import run; run._PATIENCE_S = 0.5\n"
    "from qhn.cli import main; main(sys.argv[1:])"
)


def test_what_mlflow_does_not_take_is_said_by_the_exit_code(qhn):
    file = qhn.write(
        "{name: u, datasets: [moons], objectives: [mle], seeds: 1, training: {steps: 20}}"
    )
    qhn.train(file)
    (qhn.root / "artifacts").mkdir()
    (qhn.root / "artifacts" / "u").write_text("no folder")
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "sweep", "run", str(file)],
        env=qhn.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "MLflow lacks the newest state of 1 run" in done.stdout
    (qhn.root / "artifacts" / "u").unlink()
    assert qhn.run(file)["untracked"] == 0
    qhn.check_tracking(file, "u", 20)


WILD = (
    "{name: f, datasets: [moons], networks: [{hidden: 1}], objectives: [mle], seeds: 2, "
    "training: {steps: 20, learning_rate: [0.1, 1.0e+308]}}"
)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, about such numbers
def test_a_failed_trial_stops_no_other_and_is_kept_until_it_is_tried_again(qhn):
    file = qhn.write(WILD)
    qhn.train(file)
    wild = qhn.store.failed(qhn.trials(file))
    assert len(wild) == 2
    output = qhn.process("sweep", "run", file, code=1)
    for trial in wild:
        assert f"failed {trial} (moons mle lr=1e+308" in output
    assert "--retry-failed" in output
    assert qhn.status("f") == {"planned": 4, "finished": 2, "failed": 2, "running": 0}
    by_trial = {run.data.tags["qhn.trial_id"]: run for run in qhn.runs("f")}
    assert {t for t, run in by_trial.items() if run.info.status == "FAILED"} == wild
    assert all("qhn.flag.diverged" in by_trial[trial].data.tags for trial in wild)
    assert "2 have failed" in qhn("sweep", "plan", file)
    # Not forgotten by an attempt that did not come to training.
    qhn.process(
        "sweep", "run", file, "--retry-failed", "--tracking-uri", "http://127.0.0.1:1", code=2
    )
    assert qhn.status("f")["failed"] == 2
    summary = qhn.run(file, "--retry-failed", code=1)
    assert (summary["failed"], summary["finished"], summary["skipped"]) == (2, 0, 2)
    for trial in wild:
        error = qhn.store.error(trial)
        assert "a training must come to finite numbers" in error.message
        assert "TrialActor" in error.traceback or "session.py" in error.traceback
        assert "diverged" in error.flags


def test_damaged_files_cost_a_training_each_and_never_a_sweep(qhn):
    text = "{name: x, datasets: [moons], objectives: [mle], seeds: 4, training: {steps: 20}}"
    file = qhn.write(text)
    digest = qhn.train(file)
    first, second, third, fourth = qhn.trials(file)
    # A result cut short, one of another trial, a folder in a checkpoint's place; one is whole.
    (qhn.root / first / "result.json").write_text('{"trial_id": ')
    other = (qhn.root / fourth / "result.json").read_text()
    (qhn.root / second / "result.json").write_text(other)
    for name in ("result.json", "checkpoint.npz"):
        (qhn.root / third / name).unlink()
    (qhn.root / third / "checkpoint.npz").mkdir()
    # And one that no trial needs.
    (qhn.root / "sweeps" / "x" / "progress.json").mkdir()
    output = qhn.process("sweep", "run", file)
    said = " ".join(output.split())
    for trial, name in ((first, "result.json"), (second, "result.json"), (third, "checkpoint.npz")):
        assert f"{trial}/{name} cannot be used" in said
        assert (
            qhn.root / trial / name.replace("json", "unreadable").replace("npz", "unreadable")
        ).exists()
    assert (qhn.root / "sweeps" / "x" / "progress.unreadable").is_dir()
    log = max((qhn.root / "sweeps" / "x" / "logs").iterdir()).read_text()
    assert f"{first}/result.json cannot be used" in log
    summary = qhn.run(file)
    assert (summary["skipped"], summary["results_digest"]) == (4, digest)
    qhn.check_tracking(file, "x", 20)


def test_a_file_of_a_newer_version_is_one_message(qhn):
    file = qhn.write(
        "{name: y, datasets: [moons], objectives: [mle], seeds: 1, training: {steps: 9}}"
    )
    qhn.train(file)
    path = qhn.root / qhn.trials(file)[0] / "result.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 9'))
    output = qhn.process("sweep", "run", file, code=2)
    assert "newer qhn" in output
    assert "Traceback" not in output
    assert path.exists()


def test_a_data_set_that_cannot_be_made_fails_its_own_trials_only(qhn):
    file = qhn.write(
        "name: d\n"
        "datasets: [{name: moons, noise: 1.0e+308}, ring]\n"
        "objectives: [mle]\n"
        "seeds: 2\n"
        "training: {steps: 20}\n"
    )
    assert qhn.run(file, "--cpus", 1, code=1)["failed"] == 2
    by_name = {run.data.tags["dataset"]: run.info.status for run in qhn.runs("d")}
    assert by_name == {"moons": "FAILED", "ring": "FINISHED"}
    messages = {qhn.store.error(trial).message for trial in qhn.store.failed(qhn.trials(file))}
    assert len(messages) == 1
    assert "\x1b" not in messages.pop()


def test_early_stopping_ends_trials_for_good(qhn):
    file = qhn.write(
        "name: a\n"
        "datasets: [moons]\n"
        "objectives: [{name: elbo, lambda: [0.1, 1, 300, 1000]}]\n"
        "seeds: 2\n"
        "training: {steps: 200, report_every: 10}\n"
        "early_stopping: {kind: asha, grace_steps: 20, reduction_factor: 2}\n"
    )
    summary = qhn.run(file)
    assert summary["finished"] == 8
    plan = make_plan(parse_spec(file.read_text()))
    results = list(outcomes(plan, qhn.store).values())
    stopped = [result for result in results if result.status == "stopped"]
    assert 0 < len(stopped) < 8
    assert summary["stopped"] == len(stopped)
    assert all(20 <= result.steps < 200 for result in stopped)
    assert all(result.steps == 200 for result in results if result.status == "finished")
    again = qhn.run(file)
    assert (again["skipped"], again["results_digest"]) == (8, summary["results_digest"])
    tags = [run.data.tags.get("qhn.stopped_early") for run in qhn.runs("a")]
    assert sum(tag is not None for tag in tags) == len(stopped)

    # A stop is this sweep's alone: another one trains the same trials to their end, from where
    # they were stopped, and changes nothing for the sweep that stopped them.
    whole = qhn.write(file.read_text().split("early_stopping")[0].replace("name: a", "name: b"))
    assert qhn.trials(whole) == [trial.trial_id for trial in plan.trials]
    qhn.train(whole)
    ended = qhn.run(whole)
    assert (ended["skipped"], ended["stopped"]) == (8, 0)
    assert {qhn.store.result(trial.trial_id).steps for trial in plan.trials} == {200}
    qhn.check_tracking(whole, "b", 200)
    once_more = qhn.process("sweep", "resume", "a")
    assert f"results digest {summary['results_digest'][:16]}" in once_more
    for run in qhn.runs("a"):
        if "qhn.stopped_early" in run.data.tags:
            steps = [p.step for p in qhn.client().get_metric_history(run.info.run_id, "nll")]
            assert steps[-1] == int(run.data.tags["qhn.stopped_early"]) < 200


def test_a_file_that_asks_for_other_trials_under_the_same_name_is_noted(qhn):
    text = "{{name: n, datasets: [moons], objectives: [mle], seeds: {}, training: {{steps: {}}}}}"
    for seeds, steps in ((1, 20), (2, 20)):
        file = qhn.write(text.format(seeds, steps))
        qhn.train(file)
        assert "note" not in qhn.process("sweep", "run", file)
    file = qhn.write(text.format(1, 21))
    qhn.train(file)
    qhn.store.sweep("n").save_file(text.format(2, 20))
    output = qhn.process("sweep", "run", file)
    assert "2 finished trials of this sweep's earlier file are not in this one" in output


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder that nobody may fill")
def test_a_store_that_cannot_be_written_ends_in_one_message(qhn):
    file = qhn.write("{name: full, datasets: [moons], objectives: [mle], seeds: 2}")
    obstacle = qhn.root / qhn.trials(file)[1]
    obstacle.symlink_to("/sys/kernel")
    output = qhn.process("sweep", "run", file, code=2)
    assert "the store must be writable" in output
    assert "Traceback" not in output
    obstacle.unlink()
    qhn.train(file)
    assert qhn.run(file)["remaining"] == 0
