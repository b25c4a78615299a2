"""How much of the disk a folder takes."""

from __future__ import annotations

import os
from pathlib import Path

# `st_blocks` counts in this unit everywhere, whatever the size of the file system's own blocks.
_BLOCK = 512


def disk_use(folder: Path | str) -> int:
    """The bytes that all files below a folder take, in whole blocks as ``du`` counts them.

    Most files of a store are shorter than a block, so the lengths of files would tell much less
    than their deletion frees. What cannot be looked at counts nothing.
    """
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += disk_use(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
    except OSError:
        # It is not there, or is being removed at this moment, or is not ours to look into.
        return total
    return total
