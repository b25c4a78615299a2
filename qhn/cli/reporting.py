"""``qhn report``: writes what the results of sweeps say, and the report at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from qhn.cli.options import DEFAULT_STORE, StoreOption, store_option
from qhn.cli.tables import print_words
from qhn.core.errors import QhnError
from qhn.core.metrics import HEADLINE
from qhn.sweeps.store import Store, open_store
from qhn.sweeps.store.local import run_folder

if TYPE_CHECKING:
    from qhn.reports.writing import WrittenReport
    from qhn.sweeps.tracking import TrackingLocation

_FOLDER = "report"
_MOST_SENTENCES = 12


def report(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="The sweeps.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Where to write it.", show_default="in the store's folder"
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    metric: Annotated[
        str, typer.Option("--metric", metavar="METRIC", help="Compare groups by this.")
    ] = HEADLINE,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="LABEL",
            help="Compare with this group, named without its data set.",
            show_default="mle with all other settings in common",
        ),
    ] = None,
    choose_on: Annotated[
        str | None,
        typer.Option(
            "--choose-on",
            metavar="FIRST:END",
            help="Choose λ and h on the tasks with these data seeds.",
            show_default=False,
        ),
    ] = None,
    judge_on: Annotated[
        str | None,
        typer.Option(
            "--judge-on",
            metavar="FIRST:END",
            help="Judge what was chosen on the tasks with these data seeds.",
            show_default=False,
        ),
    ] = None,
    choose_by: Annotated[
        str | None,
        typer.Option(
            "--choose-by",
            metavar="METRIC",
            help="Choose by training points that were held out: validation_nll or "
            "validation_accuracy_expected. Without --choose-on on all tasks.",
            show_default=False,
        ),
    ] = None,
    kale: Annotated[
        float | None,
        typer.Option(
            "--kale",
            metavar="ALPHA",
            help="Add a column with KALE, h = N/4 and this regularisation, of all trials.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write what the results of sweeps say: report.html, report.md, report.json and figures.

    Groups are compared with a baseline, paired over tasks. Trials that have not ended are left out,
    and nothing is trained.
    """
    from qhn.reports.options import ReportOptions
    from qhn.reports.writing import check_folder, write_report

    options = ReportOptions(metric, baseline, choose_on, judge_on, kale, choose_by)
    opened = open_store(store)
    for name in names:
        opened.sweep(name).read_file()  # raises an error if there is no such sweep
    folder = report_folder(opened, names) if out is None else out
    check_folder(folder)
    written = write_report(names, opened, options)
    written.save(folder)
    console = Console(highlight=False)
    print_answer(console, written)
    print_words(console, f"The report is in {escape(str(folder))}: open report.html in a browser.")


def report_folder(store: Store, names: Sequence[str]) -> Path:
    """The folder of a report, beside the logs of the first of its sweeps."""
    first, *others = dict.fromkeys(names)
    return run_folder(store, first) / "-".join([_FOLDER, *others])


def print_answer(console: Console, written: WrittenReport) -> None:
    """Print what all comparisons say, and the sentences of the first ones."""
    from qhn.reports import words
    from qhn.reports.sentences import sentence

    report = written.report
    for line in words.answer(report.comparisons):
        print_words(console, f"[bold]{escape(line)}[/]")
    means = [one for one in report.comparisons if one.quantity == "mean"]
    for one in means[:_MOST_SENTENCES]:
        print_words(console, f"- {escape(sentence(one))}")
    if len(means) > _MOST_SENTENCES:
        print_words(console, f"and {len(means) - _MOST_SENTENCES} more in the report")
    for note in report.notes:
        print_words(console, f"[yellow]note[/] {escape(note)}")


def report_at_the_end(
    console: Console, name: str, store: Store, location: TrackingLocation
) -> None:
    """Write the report of a sweep that has just ended, and keep it with its run in MLflow.

    The results are safe already, so that whatever goes wrong here is told in a line and is no
    reason to fail.
    """
    from qhn.reports import words
    from qhn.reports.writing import write_report
    from qhn.sweeps.tracking.upload import upload

    again = f"qhn report {name}{store_option(store)}"
    wanted = "a report"
    try:
        written = write_report([name], store)
        folder = report_folder(store, [name])
        written.save(folder)
        for line in words.answer(written.report.comparisons):
            print_words(console, escape(line))
        print_words(console, f"report    {escape(str(folder / 'report.html'))}")
        wanted = "its copy in MLflow"
        files = {f"{_FOLDER}/{path}": content for path, content in written.files().items()}
        upload(location, name, files)
    except QhnError as error:
        print_words(console, f"[yellow]note[/] without {wanted}: {escape(str(error))}")
    except KeyboardInterrupt:
        print_words(console, f"[yellow]note[/] without {wanted}; to make one: {escape(again)}")
    except Exception as error:  # noqa: BLE001 - the sweep is over and must not seem to have failed
        words_of = f"{type(error).__name__}: {error}"
        print_words(
            console,
            f"[yellow]note[/] the report failed ({escape(words_of)}); the results are complete, "
            f"and this tries again: {escape(again)}",
        )
