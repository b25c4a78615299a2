"""How long the writer's process may take to end, and how long other processes wait for that.

Each of the three waits is longer than the one before it, so that nobody gives up on a writer that
still ends by itself. `qhn.sweeps.tracking.process` has a table of all the ends of a writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

#: The module that the process runs. It stands in the command line of the process.
MODULE = "qhn.sweeps.tracking.process"
#: Seconds that a writer has to mark the open runs after its driver has died without a word.
LAST_WORDS_S = 10.0
#: Seconds that a writer has to end after its driver has said so and has closed the pipe.
ENDING_S = 20.0
#: Seconds for which a driver waits for the end of its writer, and the next writer for the lock.
PATIENCE_S = 30.0


def is_writer(command: Sequence[str]) -> bool:
    """Whether a process with this command line is a writer."""
    return ("-m", MODULE) in pairwise(command)
