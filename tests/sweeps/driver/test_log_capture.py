import subprocess
import sys

# In a process of its own: pytest has replaced the streams of this one.
PROGRAM = """
import logging, os, subprocess, sys
from pathlib import Path
from qhn.sweeps.driver.log_capture import output_to
print("before")
try:
    with output_to(Path(sys.argv[1], "logs", "run.log")) as terminal:
        print("from Python")
        os.write(2, b"from C\\n")
        subprocess.run(["echo", "from a child"], check=True)
        logging.getLogger("somebody").warning("from a logger")
        terminal.write("shown\\n")
        raise KeyError
except KeyError:
    print("after")
"""


def test_everything_goes_to_the_file_but_what_is_shown(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["before", "shown", "after"]
    assert result.stderr == ""
    log = tmp_path / "logs" / "run.log"
    text = log.read_text()
    for source in ("from Python", "from C", "from a child", "from a logger"):
        assert source in text
    assert log.stat().st_mode & 0o077 == 0
