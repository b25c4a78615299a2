"""A sweep run by a Python program: what it gets, and what it finds as it had left it."""

import os
import signal
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

import qhn as api
from qhn.api.surroundings import ctrl_c_held, surroundings_kept
from qhn.core.errors import InvalidValueError, RayError, StoreError
from qhn.sweeps.driver import launch

# Of MLflow's own libraries, which are asked in this process what the script has left.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
MAPPING = {
    "name": "python",
    "datasets": "moons",
    "networks": [{"kind": "mlp", "hidden": 1}],
    "objectives": ["mle", {"name": "elbo", "lambda": 2}],
    "seeds": 2,
    "data_seeds": 2,
    "training": {"steps": 20, "report_every": 10},
}

# A script as people write it: no `if __name__ == "__main__"`, and output of its own.
SCRIPT = f"""
import os, signal, sys
import numpy as np, qhn

def state():
    handlers = [signal.getsignal(number) for number in {[int(n) for n in SIGNALS]}]
    places = [(os.fstat(stream).st_dev, os.fstat(stream).st_ino) for stream in (0, 1, 2)]
    return handlers, dict(os.environ), os.getcwd(), sys.excepthook, places

def mine(number, frame):
    pass

signal.signal(signal.SIGTERM, mine)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
before = state()
print("before")
sweep = qhn.load_sweep({{**{MAPPING}, "seeds": np.arange(2)}})
summary = sweep.run(store=sys.argv[1], cpus=2)
print("after")
assert state() == before
assert (summary.trials, summary.finished, summary.failed, summary.untracked) == (8, 8, 0, 0)
assert sorted(summary.to_frame()["trials"]) == [4, 4] and "8 of 8 trials" in repr(summary)
assert sweep.run(store=sys.argv[1], progress=False).finished_before == 8
print(summary.results_digest)
"""


def test_a_sweep_of_a_script_ends_as_one_of_the_command_line(qhn, tmp_path_factory):
    """The one real sweep of these tests; all that it leaves is looked at here."""
    script = qhn.folder / "script.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", script, qhn.root],
        env=qhn.environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr
    before, after, digest = ran.stdout.split()
    assert (before, after) == ("before", "after")
    assert "of 8 trials finished" in ran.stderr and "Traceback" not in ran.stderr

    # The same numbers as in this process, and the same sweep for the command line.
    file = qhn.write(qhn.store.sweep("python").read_file())
    assert digest == type(qhn)(tmp_path_factory.mktemp("other")).train(file)
    assert qhn.status("python") == {"planned": 8, "finished": 8, "failed": 0, "running": 0}
    qhn.check_tracking(file, "python", 20)

    table = api.results("python", store=qhn.root)
    assert table.status.tolist() == ["finished"] * 8
    trial = api.load_trial(table.trial_id[0], store=qhn.root)
    q, top = trial.probabilities(), trial.top_strings
    assert [q[int(bits, 2)] for bits in top.bits] == top.probability.tolist()
    np.testing.assert_array_equal(q, api.probabilities(api.Ansatz.brickwork(6, 2), trial.angles))


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


def test_what_a_run_changes_is_put_back(monkeypatch):
    monkeypatch.setenv("QHN_TEST_KEPT", "as it was")
    monkeypatch.delenv("QHN_TEST_NEW", raising=False)
    before = handlers(), dict(os.environ), sys.excepthook
    with pytest.raises(LookupError), surroundings_kept():
        for number in SIGNALS:
            signal.signal(number, lambda number, frame: None)
        os.environ["QHN_TEST_NEW"] = os.environ["QHN_TEST_KEPT"] = "changed"
        sys.excepthook = print
        raise LookupError
    assert (handlers(), dict(os.environ), sys.excepthook) == before


def test_ctrl_c_is_held_until_the_work_is_done():
    before, done = handlers(), []
    with pytest.raises(KeyboardInterrupt), ctrl_c_held():
        signal.raise_signal(signal.SIGINT)
        done.append("work")
    assert (done, handlers()) == (["work"], before)


def test_a_second_ctrl_c_does_not_wait():
    with pytest.raises(KeyboardInterrupt), ctrl_c_held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it waited")


def test_a_programs_own_ctrl_c_gets_what_was_held(monkeypatch):
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with ctrl_c_held():
            signal.raise_signal(signal.SIGINT)
            assert heard == []
        assert heard == [signal.SIGINT]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with ctrl_c_held():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_off_the_main_thread_nothing_is_touched():
    before, errors = handlers(), []

    def work():
        try:
            with surroundings_kept(), ctrl_c_held():
                pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (errors, handlers()) == ([], before)


def test_a_ray_of_the_caller_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(is_initialized=lambda: True))
    with pytest.raises(RayError, match=r"connected to one already.*`ray.shutdown\(\)` first"):
        api.load_sweep(MAPPING).run(store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_one_sweep_at_a_time_runs_in_a_process(tmp_path):
    with launch.process_to_itself(), pytest.raises(RayError, match="another thread is running one"):
        api.load_sweep(MAPPING).run(store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_sweep_that_another_process_runs_is_refused(qhn, monkeypatch):
    monkeypatch.setattr("qhn.sweeps.store.sweep._PATIENCE_S", 0.0)
    lock = qhn.store.sweep("python").lock
    with lock, pytest.raises(StoreError, match="one driver at a time"):
        api.load_sweep(MAPPING).run(store=qhn.root)


def test_mistakes_in_the_call_are_told_before_anything_starts(tmp_path):
    sweep = api.load_sweep(MAPPING)
    with pytest.raises(InvalidValueError, match="cpus"):
        sweep.run(store=tmp_path / "store", cpus=0)
    with pytest.raises(StoreError, match="several processes can reach"):
        sweep.run(store="memory://python")
    assert not (tmp_path / "store").exists()


def test_an_interruption_says_that_everything_is_kept(monkeypatch, tmp_path):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "run", interrupted)
    with pytest.raises(KeyboardInterrupt, match="'python' was stopped and everything is kept"):
        api.load_sweep(MAPPING).run(store=tmp_path / "store")
