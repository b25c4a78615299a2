"""The process that watches the driver: every end is told, and nothing is left."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time

import psutil
import pytest

RUN = """
import os, signal, subprocess, sys, time
from qhn.cli.supervisor import supervised

def work():
    {work}

sys.exit(supervised(work, lambda: "Go on with: the same command."))
"""


def start(work):
    body = "\n    ".join(work.strip().splitlines())
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(work=body)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process, number=None):
    if number is not None:
        process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_the_exit_code_is_that_of_the_work(code):
    assert end(start(f"print('done', flush=True)\nreturn {code}")) == (code, "done\n", "")


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ("os._exit(1)", "Ray has stopped"),
        ("os._exit(0)", "Ray has stopped"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "out of memory, perhaps"),
        ("os.kill(os.getpid(), signal.SIGABRT)", "ended by SIGABRT"),
    ],
)
def test_an_end_without_a_word_is_told(work, words):
    code, _, errors = end(start(work))
    assert code == 3
    assert words in errors
    assert "Go on with: the same command." in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("printing", "code"),
    [
        ("print('x', flush=True)", 1),  # it notices at once, and ends
        ("os.dup2(os.dup(1), 1); sys.stdout = open(1, 'w', 10**6, closefd=False); print('x')", 7),
    ],
)
def test_a_reader_who_has_gone_is_not_the_end_of_ray(printing, code):
    """As in ``qhn sweep run FILE | head``."""
    process = start(f"sys.stdin.readline()\n{printing}\nreturn 7")
    process.stdout.close()
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.wait(timeout=60) == code
    assert "Ray" not in process.stderr.read()
    process.stdin.close()
    process.stderr.close()


def test_a_terminal_that_stops_what_prints_from_the_background_does_not_stop_the_work():
    main, side = os.openpty()
    settings = termios.tcgetattr(side)
    settings[3] |= termios.TOSTOP
    termios.tcsetattr(side, termios.TCSANOW, settings)

    def take_terminal():
        os.setsid()
        fcntl.ioctl(side, termios.TIOCSCTTY, 0)

    body = "print('printed', flush=True)\n    return 0"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN.format(work=body)],
        stdin=side,
        stdout=side,
        stderr=side,
        preexec_fn=take_terminal,
    )
    os.close(side)
    assert process.wait(timeout=60) == 0
    assert b"printed" in os.read(main, 100)
    os.close(main)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_stop_reaches_the_work_as_ctrl_c(number):
    process = start(
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n"
        "    print('working', flush=True)\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', flush=True)\n"
        "    return 130"
    )
    assert process.stdout.readline() == "working\n"
    assert end(process, number) == (130, "stopped\n", "")


def test_what_the_lost_work_had_started_is_ended():
    process = start(
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.close()\n"
        "os._exit(1)"
    )
    orphan = int(process.stdout.readline())
    assert end(process)[0] == 3
    assert not psutil.pid_exists(orphan)


# Stands for the process that writes to MLflow, which is known by its command line.
WRITER = """
marked = os.path.join({folder!r}, 'marked')
waits = "import sys; sys.stdin.read(); open(sys.argv[3], 'w').write('KILLED'){then}"
command = [sys.executable, '-c', waits, '-m', 'qhn.sweeps.tracking.process', marked]
writer = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
other = subprocess.Popen(['sleep', '600'], start_new_session=True)
print(writer.pid, other.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_writer_of_the_lost_work_may_mark_its_runs_and_nothing_else_goes_on(tmp_path):
    process = start(WRITER.format(folder=str(tmp_path), then=""))
    left = [int(number) for number in process.stdout.readline().split()]
    code, _, errors = end(process)
    assert (code, "Traceback" in errors) == (3, False)
    assert (tmp_path / "marked").read_text() == "KILLED"
    assert not any(psutil.pid_exists(number) for number in left)


def test_nobody_has_to_wait_for_the_writer_of_the_lost_work(tmp_path):
    process = start(WRITER.format(folder=str(tmp_path), then="; import time; time.sleep(600)"))
    left = [int(number) for number in process.stdout.readline().split()]
    assert "was killed" in process.stderr.readline()
    assert "Marking open runs in MLflow as killed, for 22 s at most" in process.stderr.readline()
    # What Ray has left has no time to go on.
    assert not psutil.pid_exists(left[1])
    code, _, errors = end(process, signal.SIGINT)
    assert (code, errors) == (3, "")
    assert not psutil.pid_exists(left[0])


def test_the_work_dies_with_its_supervisor():
    process = start("print(os.getpid(), flush=True)\nsignal.pause()")
    work = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.wait()
    work.wait(timeout=60)
    assert not work.is_running()
    process.communicate()


def test_a_pause_and_its_end_reach_the_work():
    process = start("print(os.getpid(), flush=True)\nprint(sys.stdin.readline(), end='')\nreturn 0")
    work = psutil.Process(int(process.stdout.readline()))
    process.send_signal(signal.SIGTSTP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    # The system delivers the signal when it next looks at the process.
    deadline = time.monotonic() + 60
    while work.status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline, work.status()
    process.send_signal(signal.SIGCONT)
    assert end(process)[0] == 0
