"""``qhn sweep logs``: prints the log of a run, to which libraries and trials have written."""

from __future__ import annotations

import codecs
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import typer
from rich.console import Console
from rich.markup import escape

from qhn.core.errors import NotFoundError, StoreError
from qhn.sweeps.store import Store
from qhn.sweeps.store.local import is_elsewhere, run_folder

_LOOK_EVERY_S = 0.2
_PIECE = 2**16


def log_files(store: Store, name: str) -> list[Path]:
    """The logs of a sweep's runs on this machine, the oldest first."""
    # The name of a log is the time at which its run began.
    return sorted((run_folder(store, name) / "logs").glob("*.log"))


def has_log(store: Store, name: str) -> bool:
    """Whether the store is in a folder, and that has a log of the sweep."""
    return not is_elsewhere(store) and bool(log_files(store, name))


def print_log(store: Store, name: str, follow: bool, lines: int | None) -> None:
    """Print the log of the newest run of a sweep.

    Args:
        store: where the sweep is kept.
        name: the name of the sweep.
        follow: whether to wait for new lines until no process runs the sweep any more.
        lines: how many of the last lines to print at first; None for all.

    Raises:
        NotFoundError: if the sweep has no log on this machine.
        StoreError: if the log cannot be read.
    """
    files = log_files(store, name)
    if not files:
        kept = store.sweep(name)
        kept.read_file()
        where = kept.lock.holder()
        running = f" (it is run by {where})" if where else ""
        raise NotFoundError(
            f"the sweep {name!r} has no log on this machine{running}; "
            "a log is kept on the machine on which the sweep was run"
        )
    try:
        start = 0 if lines is None else _place_of_last(files[-1], lines)
        for text in _texts(store, name, files[-1], start, follow):
            typer.echo(text, nl=False)
    except KeyboardInterrupt:
        return  # Ctrl-C is how a person stops following
    except BrokenPipeError:
        # The reader of the pipe has ended, as `head` does. typer then ends without a message. This
        # is also an OSError, and must not be reported as one.
        raise
    except OSError as error:
        raise StoreError(
            f"the log must be readable, but {error.filename} is not: {error.strerror or error}"
        ) from None
    if follow:
        # This line goes to standard error, because the log may be piped into another program.
        Console(stderr=True, highlight=False).print(f"{escape(name)} is not running any more.")


def _texts(store: Store, name: str, path: Path, start: int, follow: bool) -> Iterator[str]:
    """The text of a log from a place on, and then what is added to it or to a newer log."""
    lock = store.sweep(name).lock
    with ExitStack() as last:
        texts = last.enter_context(_opened(path, start))
        while True:
            # The lock is looked at before the rest of the log is read. In the other order, the last
            # lines of a driver that ends in between would be missed.
            over = not follow or lock.holder() is None
            yield from texts
            # If the sweep is deleted meanwhile, there are none any more.
            newest = (log_files(store, name) or [path])[-1]
            if follow and newest != path:
                last.close()
                path, texts = newest, last.enter_context(_opened(newest, 0))
            elif over:
                return
            else:
                time.sleep(_LOOK_EVERY_S)


@contextmanager
def _opened(path: Path, start: int) -> Iterator[_Texts]:
    with path.open("rb") as file:
        file.seek(start)
        yield _Texts(file)


class _Texts:
    """The text of a file in pieces. Each iteration continues after the end of the last one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        # A piece may end inside a character of several bytes.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __iter__(self) -> Iterator[str]:
        while piece := self._file.read(_PIECE):
            yield self._decoder.decode(piece)


def _place_of_last(path: Path, lines: int) -> int:
    """The place, in bytes, at which the last lines of a file begin.

    The file is read from its end in pieces, because it may be larger than memory.
    """
    with path.open("rb") as file:
        end = place = file.seek(0, os.SEEK_END)
        # A newline at the very end of the file ends the last line, and does not begin another one.
        left = lines
        while place > 0 and lines:
            size = min(_PIECE, place)
            place -= size
            file.seek(place)
            piece = file.read(size)
            at = size - (place + size == end and piece.endswith(b"\n"))
            while (at := piece.rfind(b"\n", 0, at)) >= 0:
                left -= 1
                if left == 0:
                    return place + at + 1
        return 0 if lines else end
