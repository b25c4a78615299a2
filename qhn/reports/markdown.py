"""The report as Markdown, for repositories, issues and papers in the making."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from qhn.reports import words
from qhn.reports.comparison import Comparison
from qhn.reports.report import AcrossDatasets, DatasetReport, Report
from qhn.reports.sentences import sentence
from qhn.reports.tables import GroupRow

_ENUMERATED = (
    *("task", "network", "lowest nll", "optima", "their test accuracy"),
    *("exact posterior: expected", "average"),
)


def report_markdown(report: Report, figures: Sequence[tuple[str, str]] = ()) -> str:
    """The text of the report.

    Args:
        report: the content.
        figures: the file of each figure, relative to the text, and its caption.
    """
    parts = [f"# {_escaped(report.title)}", _escaped(report.description)]
    parts += [*words.answer(report.comparisons), *report.notes]
    if report.missing_controls:
        parts.append(f"No control has been run of: {', '.join(report.missing_controls)}.")
    for dataset in report.datasets:
        parts += _dataset(dataset)
    if report.across is not None:
        parts += _across(report.across)
    if figures:
        parts.append("## Figures")
        parts += [
            f"![{_escaped(caption)}]({file})\n\n{_escaped(caption)}" for file, caption in figures
        ]
    parts += _what_was_run(report)
    return "\n\n".join(part for part in parts if part) + "\n"


def _dataset(dataset: DatasetReport) -> Iterator[str]:
    yield f"## {_escaped(dataset.name)}"
    yield from dataset.notes
    yield _groups(dataset.rows)
    if dataset.comparisons:
        yield "### Compared with the baseline"
        yield _comparisons(dataset.comparisons)
        yield "\n".join(f"- {_escaped(sentence(one))}" for one in dataset.comparisons)
    for chosen in dataset.chosen:
        choice = chosen.choice
        yield (
            f"Of {chosen.objective}, {_escaped(choice.label)} was the best on "
            f"{len(choice.chosen_on)} tasks (mean {words.number(choice.score)}), and is judged on "
            f"{words.judged(choice)}."
        )
        if chosen.comparison is not None:
            yield _escaped(sentence(chosen.comparison))
    if dataset.not_compared:
        yield f"Without a baseline to compare with: {_escaped(', '.join(dataset.not_compared))}."
    if dataset.enumerated:
        yield "### All networks of each task, enumerated"
        yield _table(
            _ENUMERATED,
            (
                [
                    _escaped(task),
                    network,
                    words.number(known.nll),
                    str(known.optima),
                    words.number(known.test_accuracy),
                    words.number(known.posterior_expected),
                    words.number(known.posterior_average),
                ]
                for task, network, known in dataset.enumerated
            ),
        )


def _groups(rows: Sequence[GroupRow]) -> str:
    metrics = words.shown_metrics(rows)
    first = metrics[0] if metrics else ""
    heads = ["group", "tasks", "seeds", "trials"]
    for metric in metrics:
        heads.append(words.heading(metric))
        heads += ["95% interval", "over tasks"] if metric == first else []
    heads += ["best restart", "flags"]
    lines = []
    for row in rows:
        done = str(row.trials) if row.trials == row.planned else f"{row.trials}/{row.planned}"
        cells = [_escaped(row.label), str(row.tasks), words.seeds(row), done]
        for metric in metrics:
            value = row.metrics.get(metric)
            cells.append("–" if value is None else words.spread(value))
            if metric == first:
                cells.append("–" if value is None else words.interval(value))
                cells.append("–" if value is None else words.number(value.between, value.mean))
        cells.append("–" if row.restarts is None else words.number(row.restarts.mean))
        lines.append([*cells, words.flags(row)])
    return _table(heads, lines)


def _comparisons(comparisons: Iterable[Comparison]) -> str:
    return _table(
        ["group", "baseline", "of", "difference", "95% interval", "d", "p", "p (Holm)", "verdict"],
        (
            [
                _escaped(one.subject.group),
                _escaped(one.subject.baseline),
                one.quantity,
                words.number(one.difference.mean),
                words.interval(one.difference),
                words.number(one.effect.d),
                words.p_value(one.p),
                words.p_value(one.p_holm),
                f"**{one.verdict}**" if one.verdict != "no evidence" else one.verdict,
            ]
            for one in comparisons
        ),
    )


def _across(across: AcrossDatasets) -> Iterator[str]:
    yield "## Over all data sets"
    yield (
        f"{len(across.datasets)} data sets with {across.runs[0]} tasks and {across.runs[1]} seeds "
        f"of each. Friedman test that all groups are alike: p = {words.p_value(across.ranks.p)}; "
        f"ranks that differ by {words.number(across.ranks.critical_difference)} differ at the 5% "
        "level (Nemenyi)."
    )
    yield _table(
        ["group", "average rank", "interquartile mean", "probability of improvement"],
        (
            [
                _escaped(label),
                words.number(float(rank)),
                f"{words.number(middle.value)} ({words.number(middle.low)} to "
                f"{words.number(middle.high)})",
                "–"
                if better is None
                else f"{words.number(better.value)} ({words.number(better.low)} to "
                f"{words.number(better.high)})",
            ]
            for label, rank, middle, better in zip(
                across.labels,
                across.ranks.ranks,
                across.middle_means,
                across.improvement,
                strict=True,
            )
        ),
    )


def _what_was_run(report: Report) -> Iterator[str]:
    yield "## What was run"
    for one in report.sweeps:
        wall = one.wall_seconds
        yield (
            f"**{_escaped(one.name)}**: {one.ended:,} of {one.planned:,} trials have a result, "
            f"{one.failed:,} failed, {one.stopped:,} were stopped early; "
            f"{one.training_seconds:,.0f} s of training"
            + ("" if wall is None else f" within {wall:,.0f} s")
            + f"; qhn {', '.join(one.versions)}; {_escaped('; '.join(one.processors))}."
        )
        yield f"Run it again, with this file as `{one.name}.yaml`:"
        yield f"```console\nqhn sweep run {one.name}.yaml\nqhn report {one.name}\n```"
        # A file may have such a fence itself, in a comment for example.
        longest = max((len(run) for run in re.findall("`+", one.file)), default=0)
        fence = "`" * max(3, longest + 1)
        yield f"{fence}yaml\n{one.file.strip()}\n{fence}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Text in which no character begins a link, an HTML tag or a cell of a table."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text
