"""Reports of sweeps that were trained in memory: their content, their files and the command."""

import errno
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from qhn.core.errors import InvalidValueError, StoreError
from qhn.core.evaluation.problem import build_problem
from qhn.core.objectives.kale import kale
from qhn.core.objectives.objective import Objective
from qhn.reports.figures.heat import _labels
from qhn.reports.gallery import _at, _families
from qhn.reports.making import make_report
from qhn.reports.options import ReportOptions
from qhn.reports.problems import enumerate_all, log_posterior
from qhn.reports.writing import write_report
from qhn.sweeps.config import factory
from qhn.sweeps.results.posteriors import Posteriors
from qhn.sweeps.results.stored_plan import stored_plan
from qhn.sweeps.results.table import read_rows

SPEC = """
name: told
description: "Does <script>alert(1)</script> | help?"
datasets: [{name: moons, train: 20, test: 30}, {name: ring, train: 20, test: 30}]
networks: [{kind: mlp, hidden: 1}]
objectives: [mle, {name: selbo, lambda: [1, 10], bandwidth: [1, n/4]}]
seeds: 2
data_seeds: 2
training: {steps: 20}
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory, new_qhn):
    qhn = new_qhn(tmp_path_factory.mktemp("told"))
    qhn.train(qhn.write(SPEC))
    return qhn


@pytest.fixture(scope="module")
def written(told):
    return write_report(["told"], told.store)


def test_the_table_has_every_group_and_one_reference_of_mmd(told, written):
    moons, ring = written.report.datasets
    assert (moons.name, ring.name) == ("moons", "ring")
    assert moons.rows[0].label == "mle" and len(moons.rows) == 5
    assert all((row.tasks, row.seeds, row.trials) == (2, (2, 2), 4) for row in moons.rows)
    rows = read_rows(stored_plan(told.store.sweep("told")), told.store)
    row = next(row for row in rows if "h=1.5" in row.trial.group and "ring" in row.trial.group)
    q = Posteriors(told.store).of(row)
    problem = factory.problem(row.trial.config)
    # A trial whose own h is that of the reference has the same MMD² in both columns.
    assert Objective.of("selbo", problem).terms(q).mmd2 == pytest.approx(row.result.metric("mmd2"))
    for found in (*moons.rows, *ring.rows):
        own, reference = found.metrics["mmd2"], found.metrics["mmd2_reference"]
        same = "h=1 " not in f"{found.label} "
        assert (own.mean == pytest.approx(reference.mean)) == same, found.label


def test_maps_over_lambda_and_h_lose_no_group(new_qhn, tmp_path):
    """Controllers with one label, and groups that differ in what no axis of the map has."""
    qhn = new_qhn(tmp_path)
    text = SPEC.replace("told", "maps").replace(
        "objectives: [mle, {name: selbo, lambda: [1, 10], bandwidth: [1, n/4]}]",
        "objectives: [{name: selbo, lambda: [{schedule: entropy, target: 0.5}, {schedule: entropy, "
        "target: 0.5, gain: 2}], bandwidth: [1, 2], prior_samples: [closed form, 8]}]",
    )
    qhn.train(qhn.write(text.replace("seeds: 2\ndata_seeds: 2", "seeds: 1")))
    written = write_report(["maps"], qhn.store)
    maps = [figure.name for figure in written.figures if "-heat-" in figure.name]
    assert [name for name in maps if name.startswith("moons")] == [
        "moons-selbo-heat-test-accuracy-expected",
        "moons-selbo-prior-8-heat-test-accuracy-expected",
    ]
    groups = [g for g in written.report.datasets[0].groups if "prior=8" in g.label]
    assert len(groups) == 4 and len(set(_labels(groups).values())) == 2


def test_settings_are_chosen_by_held_out_points(new_qhn, tmp_path):
    qhn = new_qhn(tmp_path)
    text = SPEC.replace("told", "held").replace("train: 20,", "train: 20, validation: 6,")
    qhn.train(qhn.write(text))
    options = ReportOptions(choose_by="validation_nll")
    report = make_report(["held"], qhn.store, options)
    rows = read_rows(stored_plan(qhn.store.sweep("held")), qhn.store)
    for dataset in report.datasets:
        (chosen,) = dataset.chosen
        mine = [row for row in rows if row.trial.config.dataset.name == dataset.name]
        by_group = {}
        for row in mine:
            if row.trial.config.objective.name == "selbo":
                label = row.trial.group.removeprefix(f"{dataset.name} ")
                by_group.setdefault(label, []).append(row.result.metric("validation_nll"))
        # Each task has as many seeds, so that the mean of all is that of the tasks.
        means = {label: np.mean(values) for label, values in by_group.items()}
        assert chosen.choice.label == min(means, key=means.get)
        assert chosen.choice.score == pytest.approx(min(means.values()))
        assert not chosen.choice.chosen_here and len(chosen.choice.judged_on) == 2
        judged = [v for by_seed in chosen.choice.scores.values() for v in by_seed.values()]
        group = [r for r in mine if r.trial.group == f"{dataset.name} {chosen.choice.label}"]
        assert sorted(judged) == sorted(r.result.metric("test_accuracy_expected") for r in group)
    assert "flatters" not in " ".join(report.notes)
    page = write_report(["held"], qhn.store, options).page
    assert "it was chosen by training points that were held out" in " ".join(page.split())
    with pytest.raises(InvalidValueError, match="choose-by must be one of validation_nll"):
        ReportOptions(choose_by="nll")


def test_kale_is_a_column_where_it_is_asked_for(told, written):
    assert all("kale_reference" not in row.metrics for row in written.report.datasets[0].rows)
    asked = make_report(["told"], told.store, ReportOptions(kale=0.5))
    rows = read_rows(stored_plan(told.store.sweep("told")), told.store)
    mine = [row for row in rows if row.trial.group == "moons mle"]
    values = [kale(Posteriors(told.store).of(row).copy(), 6 / 4, 0.5)[0] for row in mine]
    found = asked.datasets[0].rows[0].metrics["kale_reference"]
    assert asked.datasets[0].rows[0].label == "mle"
    assert found.mean == pytest.approx(np.mean(values))
    with pytest.raises(InvalidValueError, match="kale must be a regularisation above 0"):
        ReportOptions(kale=0.0)


def test_the_exact_posterior_is_that_of_bayes_rule():
    data = factory.dataset(factory.DatasetConfig(name="moons", train=10, test=20))
    problem = build_problem(data, factory.network(factory.NetworkConfig(hidden=1), 2))
    likelihood = np.exp(-10 * problem.nll)
    p = np.exp(log_posterior(problem.nll, 10))
    assert p == pytest.approx(likelihood / likelihood.sum())
    known = enumerate_all(problem)
    assert known.nll == problem.nll.min()
    assert known.optima == np.isclose(problem.nll, known.nll, atol=1e-12, rtol=0).sum()
    assert known.posterior_expected == pytest.approx(p @ problem.test_accuracy)


def test_json_has_each_comparison_and_no_number_that_json_has_not(written):
    content = json.loads(written.numbers, parse_constant=pytest.fail)
    assert content["missing_controls"] == [
        *("random_search", "annealing", "straight_through", "mean_field")
    ]
    # Two data sets, four groups beside mle, means and deviations.
    assert len(content["comparisons"]) == 16
    keys = {"dataset", "metric", "group", "baseline", "tasks", "seeds", "difference", "low", "high"}
    assert keys | {"p", "p_holm", "verdict", "effect_size"} <= content["comparisons"][0].keys()
    assert {one["tasks"] for one in content["comparisons"]} == {2}
    across = content["across_datasets"]
    assert len(across["performance_profiles"]) == len(across["groups"]) == 5
    assert across["performance_profiles"][0]["share"][0] == 1.0


class Page(HTMLParser):
    """Collects the addresses, tags and text of a page."""

    def __init__(self):
        super().__init__()
        self.addresses, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_alone_and_escapes_what_others_wrote(written):
    page = Page()
    page.feed(written.page)
    assert "script" not in page.tags
    assert "Does <script>alert(1)</script> | help?" in "".join(page.text)
    assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
    assert page.tags.count("figure") == len(written.figures)
    # Every id is there once, so that clipping paths of one figure are not those of another.
    ids = re.findall(r'\bid="([^"]+)"', written.page)
    assert len(ids) == len(set(ids))
    # In Markdown, the file of the sweep is in a block of code, where nothing has a meaning.
    assert "Does \\<script\\>alert(1)\\</script\\> \\| help?" in written.text
    assert "<script>" not in written.text.partition("````yaml")[0].partition("```yaml")[0]


def test_every_figure_is_there_as_svg_and_png(written):
    names = {figure.name for figure in written.figures}
    for kind in ("differences", "curves", "marginals", "regions", "reliability"):
        assert {f"moons-{kind}", f"ring-{kind}"} <= names
    assert {
        "profiles",
        "moons-test-accuracy-expected",
        "moons-heat-test-accuracy-expected",
    } <= names
    for figure in written.figures:
        ElementTree.fromstring(figure.svg)
        assert figure.png.startswith(b"\x89PNG") and figure.caption
        assert 'role="img"' in figure.svg and 'aria-label="' in figure.svg
    assert "Not drawn" not in written.page


def test_what_is_not_drawn_is_said(new_qhn, tmp_path):
    qhn = new_qhn(tmp_path)
    text = SPEC.replace("told", "plain").replace("seeds: 2\ndata_seeds: 2", "seeds: 1")
    text = re.sub(r"objectives:.*?\nseeds", "objectives: mle\nseeds", text, flags=re.DOTALL)
    qhn.train(qhn.write(text))
    page = " ".join(write_report(["plain"], qhn.store).page.split())
    assert "Not drawn: differences from the baseline (needs groups with a baseline)" in page
    assert "map over λ and h (needs several values of both of one objective)" in page


def test_partial_sweeps_have_reports_and_empty_ones_a_message(told, tmp_path, new_qhn):
    qhn = new_qhn(tmp_path)
    file = qhn.write(SPEC)
    ids = [trial.trial_id for trial in stored_plan(told.store.sweep("told")).trials[:7]]
    qhn.store.sweep("told").save_file(SPEC)
    assert "has none with a result" in qhn("report", "told", code=2)
    qhn.train(file, only=ids)
    report = make_report(["told"], qhn.store)
    assert "33 planned trials have not ended yet" in " ".join(report.notes)
    assert qhn("report", "nothing", code=2).startswith("error: ")


def test_settings_are_chosen_on_some_tasks_and_judged_on_others(told):
    options = ReportOptions(choose_on="0:1", judge_on="1:2")
    report = make_report(["told"], told.store, options)
    (chosen,) = report.datasets[0].chosen
    scores = {
        group.label: np.mean(
            list(group.scores("test_accuracy_expected")["moons data-seed=0"].values())
        )
        for group in report.datasets[0].groups
        if group.objective == "selbo"
    }
    assert scores[chosen.choice.label] == max(scores.values())
    assert chosen.choice.judged_on == ("moons data-seed=1",) and not chosen.choice.chosen_here
    assert chosen.comparison.tasks == ("moons data-seed=1",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "accurcy"}, "the metric must be one of"),
        ({"metric": "entropy"}, "a better direction, but entropy has none"),
        ({"choose_on": "0:10"}, "give judge-on too"),
        (
            {"choose_on": "5:5", "judge_on": "x"},
            "choose-on must be a range.*judge-on must be a range",
        ),
    ],
)
def test_choices_that_make_no_sense(options, words):
    with pytest.raises(InvalidValueError, match=words):
        ReportOptions(**options)


def test_the_command_writes_all_files_and_replaces_old_ones(told, tmp_path):
    folder = tmp_path / "out"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "of-another-report.png").write_bytes(b"")
    output = told("report", "told", "--out", folder)
    assert "comparisons of the mean" in output and str(folder) in output.replace("\n", "")
    found = {path.name for path in folder.iterdir()}
    assert found == {"report.html", "report.md", "report.json", "figures"}
    assert not (folder / "figures" / "of-another-report.png").exists()
    (tmp_path / "file").touch()
    refused = told("report", "told", "--out", tmp_path / "file", code=2)
    assert "the folder of a report must be writable" in refused.replace("\n", " ")
    absent = tmp_path / "absent"
    refused = told("report", "told", "--baseline", "x", "--out", absent, code=2)
    assert "the baseline must be one of" in refused and not absent.exists()


def test_a_report_that_cannot_be_written_leaves_the_old_one_whole(written, tmp_path, monkeypatch):
    written.save(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    count = iter(range(5))

    def full(path, content):
        if next(count, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        with path.open("wb") as file:
            file.write(content)

    monkeypatch.setattr(Path, "write_bytes", full)
    changed = replace(written, page="another page")
    with pytest.raises(StoreError, match="No space left on device"):
        changed.save(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_figures_of_controls_and_of_each_circuit_have_names_of_their_own(tmp_path, new_qhn):
    qhn = new_qhn(tmp_path)
    changes = (
        ("name: told", "name: families\nansatze: [{depth: 1}, {depth: 2}]"),
        ("\nseeds: 2\n", "\nseeds: 1\ncontrols: [random_search, annealing]\n"),
        ("steps: 20", "steps: 3"),
        ("name: moons, train: 20, test: 30}, {", ""),
    )
    text = SPEC
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    qhn.train(qhn.write(text))
    (ring,) = make_report(["families"], qhn.store).datasets
    families = dict(_families(ring.groups))
    assert list(families) == [("depth=1",), ("depth=2",), ("controls",)]
    assert [group.label for group in families[("controls",)]] == ["random_search", "annealing"]
    # With two circuits there is no one baseline for what has none.
    assert ring.not_compared == ("random_search", "annealing")


def test_a_curve_goes_on_with_the_last_report_of_a_trial_that_was_stopped():
    table = np.array([[0.0, 9.0, 0.5], [10.0, 9.0, 0.3]])
    values = _at(table, ("step", "timestamp_ms", "nll"), "nll", [0, 5, 10, 20])
    assert values.tolist() == [0.5, 0.5, 0.3, 0.3]
    later = _at(table[1:], ("step", "timestamp_ms", "nll"), "nll", [0, 10])
    assert np.isnan(later[0]) and later[1] == 0.3
    assert np.isnan(_at(table, ("step", "timestamp_ms", "nll"), "kale", [0, 10])).all()
