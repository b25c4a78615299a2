"""Following jobs: what is written, when it ends, and with which exit code."""

import pytest
from scripted_server import FakeTime, ScriptedServer, printed

from qhn.core.errors import NotFoundError, RayError
from qhn.sweeps.jobs.asking import ask
from qhn.sweeps.jobs.commands import Options, small_job
from qhn.sweeps.jobs.following import exit_code, follow, own_output
from qhn.sweeps.jobs.server import JobState
from qhn.sweeps.jobs.submitting import end_runs, submit, wait_for_start

JOB = small_job("status", "first", [], None)
TRAINING = "first: 3 trials\ntraining: 0 of 3 trials finished\n"


def following(*script, **options):
    server, time, pieces = ScriptedServer(script), FakeTime(), []
    server.submit(JOB)
    state = follow(server, JOB.job_id, pieces.append, clock=time.clock, **options)
    return state, pieces, time.time


def test_each_part_of_the_output_is_written_once():
    state, pieces, _ = following(
        ("PENDING", None, ""),
        ("RUNNING", None, "one\n"),
        ("RUNNING", None, "one\n"),
        ("RUNNING", None, "one\ntwo\n"),
        ("SUCCEEDED", 0, "one\ntwo\nthree\n"),
    )
    assert pieces == ["one\n", "two\n", "three\n"]
    assert exit_code(state) == 0


def test_a_server_may_be_away_for_a_while():
    away = RayError("no answer")
    state, pieces, seconds = following(
        ("RUNNING", None, "one\n"), *[("", None, away)] * 20, ("SUCCEEDED", 0, "one\ntwo\n")
    )
    assert pieces == ["one\n", "two\n"]
    assert state.is_over and seconds >= 20


def test_a_server_that_stays_away_is_given_up():
    with pytest.raises(RayError, match="no answer"):
        following(("RUNNING", None, "one\n"), *[("", None, RayError("no answer"))] * 100)


def test_a_job_that_its_server_has_forgotten_is_not_waited_for():
    with pytest.raises(NotFoundError):
        follow(ScriptedServer(), "qhn-run-first", print, clock=FakeTime().clock)


def test_long_outputs_are_asked_for_more_rarely():
    text = "x" * 2_000_000
    _, _, seconds = following(("RUNNING", None, text), ("SUCCEEDED", 0, text))
    assert seconds > 5


def test_only_the_jobs_own_output_is_shown():
    assert own_output(printed(JOB, "one\ntwo\n")) == "one\ntwo\n"
    assert own_output(printed(JOB, "")) == ""
    assert own_output("Runtime env is setting up.\n") == ""
    line = "Running entrypoint for job qhn-x: qhn sweep status\n"
    # A job may print such a line itself.
    assert own_output(line + "a\n" + line) == "a\n" + line


@pytest.mark.parametrize("code", [1, 2, 3, 130])
def test_a_job_ends_as_its_sweep(code):
    assert exit_code(JobState("a", "FAILED", code)) == code


def test_other_ends_of_jobs():
    assert exit_code(JobState("a", "SUCCEEDED", 0)) == 0
    assert exit_code(JobState("a", "STOPPED")) == 130
    # The process was killed: by a signal, or as a shell says it.
    assert exit_code(JobState("a", "FAILED", -9)) == exit_code(JobState("a", "FAILED", 137)) == 3
    with pytest.raises(RayError, match="must have qhn on the search path"):
        exit_code(JobState("a", "FAILED", 127))
    with pytest.raises(RayError, match="no node has room"):
        exit_code(JobState("a", "FAILED", None, "no node has room\nmore"))


def test_the_exit_code_of_a_small_job_is_passed_on():
    server, pieces = ScriptedServer([("FAILED", 2, "error: no sweep\n")]), []
    assert ask(server, JOB, pieces.append, FakeTime().clock) == 2
    assert pieces == ["error: no sweep\n"]


def test_small_jobs_of_before_are_taken_from_the_list_and_nothing_else():
    server = ScriptedServer([("SUCCEEDED", 0, "")])
    now, since = 1_000_000, {"old": 900_000, "running": 900_000, "run": 0, "foreign": 0}
    for name, when in since.items():
        about = {"run": {"qhn": "run"}, "foreign": {}}.get(name, {"qhn": "status"})
        status = "RUNNING" if name == "running" else "SUCCEEDED"
        server.add(JobState(name, status, about=about, started_ms=when))
    # Ray still writes about a job that has just ended, and its user may not have read its end.
    for name, began, ended in (("short", now - 5000, now - 4000), ("long", 900_000, now - 1000)):
        times = {"started_ms": began, "ended_ms": ended}
        server.add(JobState(name, "SUCCEEDED", about={"qhn": "status"}, **times))
    server.time_ms = now
    assert ask(server, JOB, [].append, FakeTime().clock) == 0
    assert server.forgotten == ["old"]


def test_a_small_job_that_nobody_waits_for_any_more_is_stopped():
    server = ScriptedServer([("RUNNING", None, "one\n"), ("", None, KeyboardInterrupt())])
    with pytest.raises(KeyboardInterrupt):
        ask(server, JOB, [].append, FakeTime().clock)
    assert server.stopped == [JOB.job_id]


def test_a_submitted_sweep_has_begun_when_its_checks_are_over():
    early = "first: 3 trials\nstarting Ray: 0 of 3 trials finished\n"
    server = ScriptedServer(
        [("RUNNING", None, early), ("RUNNING", None, TRAINING), ("SUCCEEDED", 0, TRAINING)]
    )
    job_id = submit(server, "first", b"name: first", Options())
    state, text = wait_for_start(server, job_id, FakeTime().clock)
    assert (state.status, text) == ("RUNNING", early + TRAINING[len(early) :])
    assert server.files == [{"first.yaml": b"name: first"}]


def test_a_sweep_that_takes_long_to_begin_is_left_alone():
    time = FakeTime()
    server = ScriptedServer([("PENDING", None, "")])
    state, text = wait_for_start(server, submit(server, "a", b"", Options()), time.clock)
    assert (state.status, text) == ("PENDING", "")
    assert 60 < time.time < 180


def test_a_sweep_that_runs_is_not_submitted_again():
    server = ScriptedServer([("RUNNING", None, "")], [("RUNNING", None, "")])
    first = submit(server, "first", b"", Options())
    with pytest.raises(RayError, match=f"but {first} runs it; follow it with"):
        submit(server, "first", b"", Options())
    submit(server, "second", b"", Options())
    assert len(server.submitted) == 2


def test_a_driver_that_has_drained_may_print_its_end():
    server = ScriptedServer([("RUNNING", None, ""), ("RUNNING", None, ""), ("FAILED", 130, "")])
    submit(server, "first", b"", Options())
    assert end_runs(server, "first", None, FakeTime().clock) == []
    assert server.stopped == []


def test_a_job_without_a_driver_is_ended_by_ray():
    server = ScriptedServer([("PENDING", None, "")])
    job_id = submit(server, "first", b"", Options())
    assert end_runs(server, "first", None, FakeTime().clock) == [job_id] == server.stopped
