"""The table of results, against numbers worked out by hand (see made_results.py).

Of 0.80 and 0.82 the mean is 0.81 and the deviation 0.02 / sqrt(2) = 0.014. With the 97.5% quantile
12.706 of Student's t for one degree of freedom the interval is 0.81 ± 12.706 · 0.01, from 0.683 to
0.937; and so on.
"""

from __future__ import annotations

import io
import re

import pytest
from made_results import MADE, PLAN, groups, result
from rich.console import Console

from qhn.cli.results import View, print_flags, print_groups
from qhn.cli.tables import Column, fitting
from qhn.cli.words import number_text, spread
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.results.statistics import SHOWN, summarise
from qhn.sweeps.results.table import make_rows
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialError

NAN = float("nan")


def screen(found=None, width=None, view=View(), plan=PLAN):  # noqa: B008 - it is frozen
    """What is printed; without a width it is no terminal."""
    console = Console(
        file=io.StringIO(), width=width or 80, force_terminal=width is not None, color_system=None
    )
    found = groups() if found is None else found
    print_groups(console, plan, found, "qhn sweep show made", view)
    return console.file.getvalue()


def cells(text):
    """The rows of the table as lists of cells, which two spaces at least keep apart."""
    lines = [line for line in text.splitlines() if re.search(r"\bmoons  |\bring  ", line)]
    return [re.split(r"\s{2,}", line.strip()) for line in lines]


def test_the_table_by_hand():
    # A terminal of 80 places has room for the counts, one metric and its interval.
    assert cells(screen(width=80)) == [
        ["★", "moons", "elbo", "1", "2", "0.910 ± 0.014", "0.783 to 1.037"],
        ["moons", "elbo", "30->0.3", "2", "0.900 ± 0.000", "0.900 to 0.900"],
        ["moons", "mle", "2", "0.810 ± 0.014", "0.683 to 0.937"],
        # One seed has no interval, and what is not over, or has failed, does not compete.
        ["ring", "elbo", "1", "1/2", "0.990"],
        ["ring", "elbo", "30->0.3", "1/2", "1", "0.660"],
        ["★", "ring", "mle", "2", "0.650 ± 0.071", "0.015 to 1.285"],
    ]


def test_what_all_groups_share_is_said_once_above():
    text = screen()
    first, rest = text.split("\n", 1)
    assert first.startswith("All groups: noise 0.1, train 100, test 1000, data seed 0, network mlp")
    assert "λ over 0.8 (elbo)" in first
    assert "brickwork" in first and "brickwork" not in rest


def test_a_pipe_loses_no_column_and_cuts_nothing():
    lines = screen().splitlines()
    header = next(line for line in lines if "dataset" in line)
    assert header.split()[:4] == ["dataset", "objective", "λ", "seeds"]
    row = next(line for line in lines if "★" in line)
    # Test accuracies, train accuracies, then objective, nll, KL, MMD², entropy, gradient's norm,
    # KALE, and the two of held-out points.
    same, quarter = ["0.910 ± 0.014"], ["0.250 ± 0.000"]
    rest = [*quarter, "0.500 ± 0.000", *quarter, "6.12e-05 ± 0.00e+00", *quarter * 3]
    expected = [*same, "0.783 to 1.037", *same * 7, *rest, *quarter, *same]
    assert re.split(r"\s{2,}", row.strip())[5:] == expected
    assert len(expected) == len(SHOWN) + 1
    assert "…" not in screen() and "No room" not in screen()


@pytest.mark.parametrize("width", [70, 80, 100, 120, 160, 250])
def test_a_narrow_terminal_loses_metrics_and_says_which(width):
    text = screen(width=width)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    left_out = re.search(r"No room for (.*): widen the terminal", flat)
    names = left_out[1].split(", ") if left_out else []
    # The last ones go first, and the one that is sorted by never does.
    everything = [SHOWN[0], "95% interval", *SHOWN[1:]]
    shown = [name for name in everything if name not in names]
    assert shown and [*shown, *names] == everything
    # The star, three settings and the seeds, of a group of which no trial has failed.
    assert len(cells(text)[0]) - 5 == len(shown)
    assert ("qhn sweep show made" in flat) == bool(names)


@pytest.mark.parametrize("width", [20, 45, 60])
def test_where_there_is_no_room_at_all_numbers_are_whole(width):
    found = cells(screen(width=width))
    assert [row[-1] for row in found][:3] == ["0.910 ± 0.014", "0.900 ± 0.000", "0.810 ± 0.014"]
    assert found[0][:4] == ["★", "moons", "elbo", "1"]


def test_columns_are_left_out_from_the_right_until_the_rest_fits():
    kept = Column("kept", ["12345"])
    first, second = Column("a", ["123"], "a"), Column("b", ["1"], "b")
    # Each takes its widest line and two spaces, and the table one more: 7 + 5 + 3 + 1.
    assert fitting([kept, first, second], 16) == [kept, first, second]
    assert fitting([kept, first, second], 15) == [kept, first]
    assert fitting([kept, first, second], 13) == [kept, first]
    assert fitting([kept, first, second], 12) == [kept]
    assert fitting([kept, first, second], 1) == [kept]
    assert Column("two\nlines", ["1"]).width == 5


def test_over_tasks_their_deviation_has_a_column():
    """Tasks with 0.80 and 0.82, and with 0.90 and 0.92: means of 0.81 and 0.91."""
    spec = "{name: made, datasets: moons, objectives: mle, seeds: 2, data_seeds: 2}"
    plan = make_plan(parse_spec(spec))
    values = {(0, 0): 0.80, (0, 1): 0.82, (1, 0): 0.90, (1, 1): 0.92}
    results = {
        trial.trial_id: result(trial, values[trial.data_seed, trial.config.seed], 0.3)
        for trial in plan.trials
    }
    found = summarise(make_rows(plan.trials, results, {}))
    text = screen(found, 120, plan=plan)
    assert "deviation" in text and "over tasks" in text
    # The deviation of the tasks' means is 0.1 / sqrt(2), that within tasks 0.02 / sqrt(2).
    assert "0.860 ± 0.014" in text and " 0.071 " in text


def test_the_best_of_each_data_set_is_bold():
    console = Console(
        file=io.StringIO(), width=100, force_terminal=True, color_system="truecolor", record=True
    )
    print_groups(console, PLAN, groups(), "")
    lines = console.export_text(styles=True).splitlines()
    bold = [line for line in lines if "\x1b[1m" in line and "0." in line and "All" not in line]
    assert len(bold) == 2
    assert all("★" in line for line in bold)


def test_less_is_better_where_the_metric_says_so():
    text = screen(view=View("nll"), width=80)
    names = ["moons mle", "moons elbo 30->0.3", "moons elbo 1"]
    names += ["ring mle", "ring elbo 1", "ring elbo 30->0.3"]
    found = cells(text)
    assert [" ".join(row).removeprefix("★ ") for row in found] == [
        f"{name} {rest}" for name, rest in zip(names, REST_BY_NLL, strict=True)
    ]
    assert [row[0] for row in found].count("★") == 2
    assert "the best of its data set by nll" in " ".join(text.split())


# Both seeds of a group have the same nll.
REST_BY_NLL = (
    *(f"2 0.{nll}00 ± 0.000 0.{nll}00 to 0.{nll}00" for nll in (3, 4, 5, 6)),
    "1/2 0.700",
    "1/2 1 0.800",
)


def test_of_some_metrics_nothing_is_best():
    text = screen(view=View("entropy"))
    assert "★" not in text
    assert "Sorted by entropy, of which neither more nor less is better." in text


def test_the_best_few_of_each_data_set():
    text = screen(view=View(best=1), width=80)
    assert [row[:6] for row in cells(text)] == [
        ["★", "moons", "elbo", "1", "2", "0.910 ± 0.014"],
        ["ring", "elbo", "1", "1/2", "0.990", "0.990"],
    ]
    assert "2 of 6 groups are shown." in text


def test_where_no_group_is_whole_none_is_marked():
    begun = {group: ((values[0], None), nll) for group, (values, nll) in MADE.items()}
    text = screen(groups(begun), width=100)
    assert "★" not in text
    assert "no best is marked before every trial has a result" in " ".join(text.split())


def test_what_is_said_of_all_groups_holds_for_those_without_a_result_too():
    whole = {name: ((0.5, 0.5), 0.5) for name in MADE if name != "moons mle"}
    text = " ".join(screen(groups(dict.fromkeys(MADE, ((None, None), 0.5)) | whole)).split())
    assert "1 group without a result is left out of the table." in text
    # Of the five others every trial has a result, but the best of moons may be the sixth.
    assert "by test_accuracy_expected, among the groups of which every trial has a result." in text
    only = dict.fromkeys(MADE, ((None, None), 0.5)) | {"ring mle": ((0.5, 0.5), 0.5)}
    first, rest = screen(groups(only), view=View(best=1)).split("\n", 1)
    # All that has a result has one data set and one objective; the sweep has more.
    assert "dataset" not in first and "objective" not in first
    assert [row[:3] for row in cells(rest)] == [["★", "ring", "mle"]]
    assert "5 groups without a result are left out of the table." in rest


def test_flags_are_counted_over_trials_that_failed_as_well():
    (trial, other), *_ = zip(PLAN.trials[:6], PLAN.trials[6:], strict=True)
    results = {trial.trial_id: result(trial, 0.5, 0.5, flags={"barren-plateau": 20})}
    errors = {other.trial_id: TrialError("it diverged", "", 1, {"barren-plateau": 10})}
    console = Console(file=io.StringIO())
    print_flags(console, summarise(make_rows(PLAN.trials, results, errors)))
    assert console.file.getvalue() == f"barren-plateau in 2 of 2 trials of {trial.group}\n"


def test_schedules_are_told_apart_at_any_width():
    schedules = (
        "{schedule: warmup, value: 3}",
        "{schedule: warmup, value: 3, over: 0.25}",
        "{schedule: cosine, start: 100, end: 0.001}",
        "{schedule: cyclic, low: 0.1, high: 3, cycles: 12}",
        "1",
        "1.000001",
    )
    objectives = f"[{{name: elbo, lambda: [{', '.join(schedules)}]}}]"
    plan = make_plan(
        parse_spec(f"{{name: x, datasets: moons, seeds: 1, objectives: {objectives}}}")
    )
    results = {trial.trial_id: result(trial, 0.5, 0.5) for trial in plan.trials}
    found = summarise(make_rows(plan.trials, results, {}))
    for width in (None, 100, 40):
        lines = [line for line in screen(found, width, plan=plan).splitlines() if "0.500" in line]
        assert [line.split("0.500")[0].split()[1:-1] for line in lines] == [
            ["warmup:0->3", "0.5"],
            ["warmup:0->3", "0.25"],
            ["cosine:100->0.001"],
            ["cyclic:0.1-3x12"],
            ["1"],
            ["1.000001"],
        ]


@pytest.mark.parametrize(
    ("mean", "deviation", "text"),
    [
        (0.912, 0.034, "0.912 ± 0.034"),
        (0.5, NAN, "0.500"),
        (6.12e-5, 1.1e-6, "6.12e-05 ± 1.10e-06"),
        (12345.6, 1.0, "1.23e+04 ± 1.00e+00"),
        (-0.25, 0.0, "-0.250 ± 0.000"),
        (0.0, 0.0, "0.000 ± 0.000"),
        (NAN, NAN, "nan"),
    ],
)
def test_numbers_are_readable_at_any_size(mean, deviation, text):
    assert spread(mean, deviation) == text
    assert number_text(mean, mean) == text.split(" ±")[0]
