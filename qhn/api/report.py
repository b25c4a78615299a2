"""Reports from Python."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qhn.sweeps.store import open_store
from qhn.sweeps.store.opening import default_store

if TYPE_CHECKING:
    from qhn.reports.options import ReportOptions
    from qhn.reports.writing import WrittenReport


def report(
    *names: str,
    store: str | os.PathLike[str] | None = None,
    options: ReportOptions | None = None,
) -> WrittenReport:
    """What the results of one or several sweeps say. Nothing is trained.

    The report is made in memory: ``save(folder)`` writes its files, ``page`` is its HTML,
    and ``report.comparisons`` are its comparisons as objects.

    Args:
        names: the names of the sweeps.
        store: the folder of the store; None for the one that ``QHN_STORE`` names, else ``~/.qhn``.
        options: metric, baseline, and tasks on which to choose and to judge
            (`qhn.reports.options.ReportOptions`).

    Raises:
        InvalidValueError: if no name is given, if no data set has the baseline, or a choice is not
            possible.
        NotFoundError: if the store has no such sweep, or none of their trials has a result.
        StoreError: if the store cannot be read.
        SpecError: if another version of qhn has written the file of a sweep.
    """
    from qhn.core.errors import InvalidValueError
    from qhn.reports.options import DEFAULT
    from qhn.reports.writing import write_report

    if not names:
        raise InvalidValueError("a report must be about a sweep, but got no name; name one")
    opened = open_store(default_store() if store is None else os.fspath(store))
    return write_report(names, opened, DEFAULT if options is None else options)
