"""``qhn sweep show``: prints the results of a sweep from the store, without running anything."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from qhn.cli.options import how_to_continue, store_option
from qhn.cli.progress import standing
from qhn.cli.results import View, print_flags, print_groups, write_all_columns
from qhn.cli.tables import print_words
from qhn.cli.words import counted
from qhn.core.errors import StoreError
from qhn.sweeps.results.ranking import check_metric
from qhn.sweeps.results.statistics import summarise, summary_csv
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.results.table import read_rows
from qhn.sweeps.store import Store


def show_results(
    store: Store, name: str, view: View, csv_file: Path | None, console: Console
) -> None:
    """Print the results of a sweep, and write them to a CSV file if one is given.

    Args:
        store: where trials are kept.
        name: the name of the sweep.
        view: which groups to show, and in which order. The file gets all groups.
        csv_file: the file to write, or None.
        console: where to print.

    Raises:
        InvalidValueError: if there is no such metric.
        NotFoundError: if no such sweep was ever run.
        StoreError: if the store cannot be read, or the file cannot be written.
    """
    check_metric(view.by)
    kept = store.sweep(name)
    plan = stored_plan(kept)
    rows = read_rows(plan, store)
    groups = summarise(rows)
    finished = sum(row.result is not None for row in rows)
    failed = sum(row.error is not None for row in rows)
    over = {row.trial.trial_id for row in rows if row.status != "waiting"}
    running = len(set(kept.running()) - over)
    if plan.description:
        print_words(console, escape(plan.description.strip()))
    stand = standing(len(rows), finished, failed, running)
    print_words(console, f"[bold]{escape(name)}[/]: {stand}.")
    if groups:
        print_groups(console, plan, groups, write_all_columns(name, store), view)
        print_flags(console, groups)
    else:
        print_words(console, f"No results to show yet. {_what_next(name, store, failed, running)}")
    if csv_file is not None:
        _write(csv_file, summary_csv(groups))
        print_words(console, f"wrote {counted(len(groups), 'group')} to {escape(str(csv_file))}")


def _what_next(name: str, store: Store, failed: int, running: int) -> str:
    if running:
        sweep = name + store_option(store)
        return f"The sweep runs now; follow its log with: qhn sweep logs {sweep} --follow"
    return f"Run it with: {how_to_continue(name, store, ' --retry-failed' if failed else '')}"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the CSV file must be writable, but {path} is not: {error.strerror or error}; "
            "name another with --csv"
        ) from None
