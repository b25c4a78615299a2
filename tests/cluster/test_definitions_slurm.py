"""The script for Slurm, without Slurm: its directives, and what it does with stand-ins."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from definitions import CLUSTER, check_bash, check_node, check_qhn

SCRIPT = CLUSTER / "slurm.sbatch"
TEXT = SCRIPT.read_text()
# Options of sbatch that have a value, and its pattern.
DIRECTIVES = {
    "job-name": r"[\w-]+",
    "nodes": r"[1-9]\d*",
    "ntasks-per-node": "1",
    "cpus-per-task": r"[1-9]\d*",
    "mem-per-cpu": r"\d+[MG]",
    "time": r"\d\d:\d\d:\d\d",
    "output": r"[\w%.-]+",
    "open-mode": "append",
    "signal": r"B:USR1@[1-9]\d+",
}
FLAGS = {"requeue"}
# Each stand-in writes down its name and arguments. The nodes wait for their end as Ray does.
STANDINS = {
    "cluster/head": """
        port=$(sed -n 's/.*--port \\([0-9]*\\).*/\\1/p' <<<"$*")
        exec python3 -c '
import signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    signal.pause()' "$port" """,
    "cluster/worker": "trap 'exit 1' TERM; while :; do sleep 0.1; done",
    "bin/srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
    "bin/scontrol": ":",
    "bin/ray": 'mkdir -p "$HOME/.ray"; echo secret >"$HOME/.ray/auth_token"',
    "bin/qhn": """
        trap 'echo drained >>"$LOG"; exit 130' TERM
        echo begun >>"$LOG"
        case $3 in *quick*) exit 0 ;; *broken*) exit 1 ;; esac
        while :; do sleep 0.1; done""",
}
END_S = 30


@pytest.fixture
def submit(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(CLUSTER / "topology", tmp_path / "cluster" / "topology")
    for name, body in STANDINS.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'#!/usr/bin/env bash\necho "{file.name} $*" >>"$LOG"\n{body}\n')
        file.chmod(0o755)
    for name in ("quick.yaml", "long.yaml", "broken.yaml"):
        (tmp_path / name).touch()
    started = []

    def start(*arguments, machines=2):
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SLURM_"))},
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "LOG": str(tmp_path / "log"),
            "QHN_INTERFACE": "lo",
            "SLURM_SUBMIT_DIR": str(tmp_path),
            "SLURM_JOB_ID": "7",
            "SLURM_JOB_NUM_NODES": str(machines),
            "SLURM_CPUS_PER_TASK": "4",
        }
        # Slurm runs a copy of the script from a folder of its own.
        copy = shutil.copy(SCRIPT, tmp_path / "slurm_script")
        process = subprocess.Popen(
            ["bash", copy, *arguments], env=environment, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    def log():
        file = tmp_path / "log"
        return file.read_text().splitlines() if file.exists() else []

    start.log = log
    start.home = home
    yield start
    for process in started:
        process.stderr.close()
        if process.poll() is None:
            process.terminate()
            process.wait(END_S)


def wait_for(line, log):
    until = time.monotonic() + END_S
    while line not in log():
        assert time.monotonic() < until, log()
        time.sleep(0.05)


def test_directives_are_those_of_sbatch():
    check_bash(SCRIPT)
    lines = [line for line in TEXT.splitlines() if line.startswith("#SBATCH ")]
    # Slurm reads no directive after the first command.
    assert TEXT.index("set -euo") > TEXT.rindex("#SBATCH")
    for line in lines:
        option = re.fullmatch(r"#SBATCH --([a-z-]+)(?:=(\S+))?", line)
        assert option, line
        name, value = option.groups()
        if value is None:
            assert name in FLAGS
        else:
            assert re.fullmatch(DIRECTIVES[name], value), line
    assert len(lines) == len(DIRECTIVES) + len(FLAGS)


def test_finished_sweep_ends_the_nodes_and_the_job(submit):
    job = submit("quick.yaml", "--cpus", "3")
    assert job.wait(END_S) == 0, job.stderr.read()
    log = submit.log()
    head = next(line for line in log if line.startswith("head "))
    parsed = check_node(["cluster/head", *head.split()[1:]])
    assert parsed.interface == "127.0.0.1"
    assert parsed.cpus == 3  # one of four is for the driver
    worker = next(line for line in log if line.startswith("worker "))
    joined = check_node(["cluster/worker", *worker.split()[1:]])
    assert joined.address == f"127.0.0.1:{parsed.port}"
    assert joined.cpus == 4
    run = next(line for line in log if line.startswith("qhn "))
    check_qhn(run.split()[1:])
    assert run == f"qhn sweep run quick.yaml --cpus 3 --address 127.0.0.1:{parsed.port}"
    srun = next(line for line in log if line.startswith("srun "))
    assert "--nodes=1 --ntasks=1 --relative=1" in srun
    assert not any(line.startswith("scontrol") for line in log)
    token = submit.home / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert "secret" not in " ".join(log)


def test_end_of_time_drains_the_sweep_and_queues_the_job_again(submit):
    job = submit("long.yaml", machines=1)
    wait_for("begun", submit.log)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(END_S) == 130
    log = submit.log()
    assert log[-2:] == ["drained", "scontrol requeue 7"]
    assert not any(line.startswith("srun") for line in log)


def test_preemption_drains_the_sweep_and_leaves_the_queue_to_slurm(submit):
    job = submit("long.yaml")
    wait_for("begun", submit.log)
    job.send_signal(signal.SIGTERM)
    assert job.wait(END_S) == 130
    assert submit.log()[-1] == "drained"


def test_failure_is_the_failure_of_the_job(submit):
    assert submit("broken.yaml").wait(END_S) == 1
    missing = submit("absent.yaml")
    assert missing.wait(END_S) == 2
    assert "must be a sweep file" in missing.stderr.read()
