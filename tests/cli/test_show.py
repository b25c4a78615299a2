"""``qhn sweep show``, on results that were made up (see made_results.py)."""

from __future__ import annotations

import pytest
from made_results import TEXT, groups, keep

from qhn.sweeps.results.statistics import summary_csv


def test_results_are_shown_without_running_anything(qhn):
    keep(qhn.store)
    before = sorted(qhn.root.rglob("*"))
    lines = qhn("sweep", "show", "made").splitlines()
    assert lines[0] == "Numbers that nobody trained."
    assert lines[1] == "made: 10 of 12 trials are finished, 1 has failed, 1 is left."
    assert lines[2].startswith("All groups: noise 0.1")
    assert sum("0.910 ± 0.014" in line for line in lines) == 1
    assert sorted(qhn.root.rglob("*")) == before


def test_the_csv_is_that_of_every_other_view(qhn):
    keep(qhn.store)
    path = qhn.folder / "out.csv"
    output = qhn("sweep", "show", "made", "--best", 1, "--by", "nll", "--csv", path)
    assert path.read_text() == summary_csv(groups())
    assert f"wrote 6 groups to {path}" in output


def test_a_file_that_cannot_be_written_is_one_message(qhn):
    keep(qhn.store)
    output = qhn("sweep", "show", "made", "--csv", qhn.folder, code=2)
    assert "the CSV file must be writable" in output and "Traceback" not in output


def test_an_unknown_metric_is_answered_with_those_that_are_known(qhn):
    keep(qhn.store)
    output = qhn("sweep", "show", "made", "--by", "test_accuracy", code=2)
    assert "the metric must be one of test_accuracy_expected, test_accuracy_mode" in output
    assert "validation_accuracy_expected, but got 'test_accuracy'" in output
    assert "did you mean" in output


def test_groups_without_a_result_are_counted(qhn):
    keep(qhn.store)
    # A sweep that was extended: of three settings more, no trial has begun.
    qhn.store.sweep("made").save_file(TEXT.replace("[moons, ring]", "[moons, ring, gaussian]"))
    output = qhn("sweep", "show", "made")
    assert "3 groups without a result are left out of the table." in output
    assert "gaussian" not in output
    # What all groups are said to share is true of these as well, and gaussian has no noise.
    assert "All groups: noise 0.1 (moons, ring)" in output


@pytest.mark.parametrize("option", [[], ["--csv", "out.csv"]])
def test_where_nothing_is_finished_it_says_how_to_run(qhn, option, monkeypatch):
    monkeypatch.chdir(qhn.folder)
    qhn.store.sweep("made").save_file(TEXT)
    output = qhn("sweep", "show", "made", *option)
    assert "made: none of the 12 trials is finished yet." in output
    assert "No results to show yet. Run it with: qhn sweep resume made" in output


def test_while_it_runs_it_says_how_to_follow(qhn):
    kept = qhn.store.sweep("made")
    kept.save_file(TEXT)
    with kept.lock:
        kept.save_progress(["0" * 16])
        output = qhn("sweep", "show", "made")
    assert "1 is running" in output
    assert "qhn sweep logs made --follow" in output


def test_a_sweep_that_nobody_knows(qhn):
    assert "no sweep named 'made'" in qhn("sweep", "show", "made", code=2)


def test_what_samples_do_not_give_is_a_dash_and_where_nobody_gives_it_no_column(qhn):
    text = """
        name: both
        datasets: {name: moons, test: 50}
        networks: {kind: mlp, hidden: 1}
        objectives: mle
        devices: [exact, exact:32]
        seeds: 2
        training: {steps: 2}
    """
    qhn.train(qhn.write(text))
    lines = qhn("sweep", "show", "both", "--by", "kl").splitlines()
    [dashed] = [line for line in lines if "–" in line]
    assert "exact shots=32" in dashed
    assert sum("nan" in line for line in lines) == 0
    assert ",kl," in qhn("sweep", "export", "both", "--curves").splitlines()[0]
    qhn.train(qhn.write(text.replace("[exact, exact:32]", "exact:32").replace("both", "alone")))
    with_all = qhn("sweep", "show", "alone")
    assert "MMD" in with_all or "mmd2" in with_all
    assert "entropy" not in with_all


def test_a_command_trains_from_samples_and_shows_what_they_give(qhn):
    arguments = ("--hidden", 1, "--steps", 2, "--report-every", 1)
    output = qhn("train", *arguments, "--device", "exact:32")
    assert '"device":{"name":"exact","shots":32}' in output
    assert "MMD²" in output and "entropy" not in output
    refused = qhn("train", *arguments, "--objective", "elbo", "--device", "exact:32", code=2)
    assert "--objective: elbo needs a device that gives probabilities" in refused
    noisy = qhn("train", *arguments, "--device", "{name: exact, noise: 0.01, shots: 16}")
    assert '"noise":{"p1":0.01,"p2":0.01}' in noisy
    wrong = qhn("train", *arguments, "--device", "{name: exact, noise: 2}", code=2)
    assert "--device: must be from 0 to 1, but got 2" in wrong
    assert "--device: `shots >= 1`" in qhn("train", *arguments, "--device", "exact:0", code=2)
