"""Commands that start no sweep: what they print and how they end."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qhn.cli.summary_file import SummaryFile
from qhn.core.errors import StoreError

SWEEP = """
name: planned
datasets: [moons]
objectives: [mle, {name: elbo, lambda: [1, 1.0]}]
seeds: 3
"""


@pytest.mark.parametrize("command", [[], ["sweep"], ["sweep", "run"], ["train"], ["ui"]])
def test_help_is_there(qhn, command):
    assert "Usage" in qhn(*command, "--help")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["sweep", "list"], 0),
        (["sweep", "status", "nothing"], 2),
        (["sweep", "fly"], 2),
        (["train", "--dataset", "moon", "--steps", "0"], 2),
        (["ui"], 2),
    ],
)
def test_a_process_prints_and_ends_as_the_runner_of_these_tests_does(qhn, arguments, code):
    assert qhn.process(*arguments, code=code) == qhn(*arguments, code=code)


def test_version(qhn):
    assert qhn("--version").startswith("qhn 0.")


def test_plan_counts_and_starts_nothing(qhn):
    file = qhn.write(SWEEP.replace("[1, 1.0]", "[1, 3]") + "\ntime_limit: 90s\n")
    output = qhn("sweep", "plan", file)
    assert "time_limit: a trial that works for more than 1:30 is ended" in output
    assert json.loads(qhn("sweep", "plan", file, "--json"))["time_limit_seconds"] == 90
    assert "planned: none of the 9 trials is finished yet." in output
    assert ["elbo", "3", "3", "3"] in [line.split() for line in output.splitlines()]
    assert not qhn.root.exists()


@pytest.mark.parametrize("command", ["plan", "run"])
def test_mistakes_are_listed_and_nothing_starts(qhn, command):
    file = qhn.write(SWEEP.replace("seeds: 3", "seeds: 0\nsteps: 5").replace("moons", "moon"))
    output = qhn("sweep", command, file, code=2)
    assert "datasets[0]" in output
    assert "seeds" in output
    assert "steps: unknown key" in output
    assert "Traceback" not in output
    assert not qhn.root.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep", "run", "no-such-file.yaml"], "cannot read the sweep file"),
        (["sweep", "status", "nothing"], "no sweep named 'nothing'"),
        (["sweep", "resume", "nothing"], "no sweep named 'nothing'"),
        (["sweep", "resume", "sweeps/paper.yaml"], "a sweep's name must have no path in it"),
        (["sweep", "status", ".."], "a sweep's name must have no path in it"),
        (["sweep", "list", "--store", ""], "a store must be named, but got ''"),
        (["sweep", "list", "--store", "gs://bucket"], "a folder, or a file:// or s3:// address"),
        (["ui"], "no sweep has been tracked"),
        (["ui", "--tracking-uri", "http://127.0.0.1:1"], "open that address in a browser"),
        (["train", "--objective", "elbo", "--lambda", "-1"], "--lambda: must be at least 0"),
        (["train", "--dataset", "moon", "--steps", "0"], "the command line has 2 mistakes"),
        (["train", "--dataset", "moon"], "--dataset: must be one of"),
        (["train", "--trial", "x.json", "--steps", "3"], "but got --steps too"),
        (["train", "--trial", "no-such-file.json"], "cannot read the trial"),
        (["sweep", "fly"], "No such command"),
    ],
)
def test_what_a_user_can_mend_is_one_message(qhn, arguments, words):
    output = qhn(*arguments, code=2)
    assert words in " ".join(output.split())
    assert "Traceback" not in output


def test_an_unusable_tracking_store_ends_before_training(qhn):
    file = qhn.write(SWEEP.replace("[1, 1.0]", "1"))
    output = qhn.process("sweep", "run", file, "--tracking-uri", "nonsense://x", code=2)
    assert "must be usable" in output
    assert "Traceback" not in output
    assert qhn.status("planned")["finished"] == 0


@pytest.mark.parametrize(
    ("options", "notes"),
    [
        (["mle", "--lambda", 3, "--bandwidth", "n/4"], ["--lambda: mle", "--bandwidth: mle"]),
        (["elbo", "--lambda", 3, "--bandwidth", 2], ["--bandwidth: elbo"]),
        (["selbo", "--lambda", 3, "--bandwidth", 2], []),
        (["mle"], []),
    ],
)
def test_options_that_do_nothing_have_a_note(qhn, options, notes):
    output = qhn("train", "--steps", 1, "--objective", *options)
    found = [line for line in output.splitlines() if line.startswith("note: ")]
    assert [line.removeprefix("note: ").partition(" uses ")[0] for line in found] == notes
    assert all(line.endswith("changes nothing and can be left out") for line in found)


def test_what_programs_read_has_no_note_in_it(qhn):
    options = ["--steps", "1", "--objective", "mle", "--lambda", "3", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "qhn.cli", "train", *options],
        env=qhn.environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    json.loads(done.stdout)
    assert done.stderr.startswith("note: --lambda: mle uses the loss alone")


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_sweep_named_in_place_of_its_file_is_recognised(qhn, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    qhn.store.sweep("mine").save_file("{name: mine, datasets: moons, objectives: mle, seeds: 1}")
    output = qhn("sweep", command, "mine", code=2)
    assert "'mine' is the name of a sweep; continue the sweep with `qhn sweep resume mine" in output
    assert "cannot read the sweep file other" in qhn("sweep", command, "other", code=2)


def test_settings_of_a_file_that_do_nothing_have_a_note(qhn):
    file = qhn.write(SWEEP.replace("[mle, ", "[{name: mle, lambda: 3}, ").replace("1, 1.0", "1"))
    # A run that goes no further, for its summary cannot be written.
    refused = qhn("sweep", "run", file, "--summary", qhn.folder, code=2)
    for output in (refused, qhn("sweep", "plan", file)):
        assert output.count("note: ") == 1
        assert "note: line 4: objectives[0].lambda: mle uses the loss alone" in output


def test_train_repeats_itself_and_its_own_configuration(qhn):
    options = ["--objective", "selbo", "--lambda", "30", "--steps", "20", "--report-every", "10"]
    table = qhn("train", *options)
    assert "14 qubits, 20 steps" in table
    first = json.loads(qhn("train", *options, "--json"))
    rows = [row for line in table.splitlines() if len(row := line.split()) == 11]
    assert [row[0] for row in rows] == ["step", "0", "10", "20"]
    (qhn.folder / "config.json").write_text(table.splitlines()[0])
    again = json.loads(qhn("train", "--trial", qhn.folder / "config.json", "--json"))
    assert again["metrics"] == first["metrics"]
    assert again["trial_id"] == first["trial_id"]
    assert first["steps"] == 20


def test_train_shows_each_report_as_it_is_made_and_stops_cleanly(qhn):
    train = qhn.start("train", "--steps", 10**9, "--report-every", 1000)
    seen = []
    while len(seen) < 2:
        line = train.stdout.readline()
        assert line, "it ended"
        seen += [line] if line.split()[0:1] in (["0"], ["1000"]) else []
    output = qhn.end(train, signal.SIGINT)
    assert train.returncode == 130
    assert "Interrupted. Nothing is kept" in output
    assert "Traceback" not in output


def test_odd_store_names_are_printed_as_they_are(qhn):
    for name in ("[lab]", "[/a]"):
        assert f"{name}/s" in qhn("sweep", "list", "--store", qhn.folder / name / "s")


@pytest.mark.parametrize("uri", ["~no-such-user-here/x", "/proc/1/no/such/place"])
def test_stores_that_cannot_be_are_one_message(qhn, uri):
    file = qhn.write(SWEEP.replace("[1, 1.0]", "1"))
    output = qhn("sweep", "run", file, "--store", uri, code=2)
    assert "store must be" in output
    assert "Traceback" not in output


def test_a_name_that_no_file_can_have_is_one_message(qhn):
    qhn.store.sweep("other").save_file(SWEEP)
    assert "the store must be readable" in qhn("sweep", "status", "x" * 300, code=2)


def test_a_sweep_too_large_for_this_machine_can_be_counted(qhn):
    network = "networks: [{kind: mlp, hidden: 9}]\n"  # 38 qubits
    qhn.store.sweep("planned").save_file(SWEEP.replace("[1, 1.0]", "1") + network)
    assert qhn.status("planned")["planned"] == 6


def test_a_summary_that_cannot_be_written_is_said_before_training(qhn):
    file = qhn.write(SWEEP.replace("[1, 1.0]", "1"))
    output = qhn("sweep", "run", file, "--summary", qhn.folder, code=2)
    assert "summary file must be writable" in output
    assert not qhn.root.exists()


def test_a_refused_run_leaves_the_summary_of_an_earlier_one(qhn):
    file = qhn.write(SWEEP.replace("[1, 1.0]", "1"))
    summary, fresh = qhn.folder / "old.json", qhn.folder / "new.json"
    summary.write_text("{}")
    with qhn.store.sweep("planned").lock:
        for path in (summary, fresh):
            output = qhn.process("sweep", "run", file, "--summary", path, code=2)
            assert "one driver at a time" in output
    assert summary.read_text() == "{}"
    assert not fresh.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"name: \xff", "UTF-8"), (b"#" * (2**20 + 1), "at most 1 MiB"), (b"", "name")],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_files_that_are_no_sweeps_are_one_message(qhn, command, content, words):
    path = qhn.folder / "odd.yaml"
    path.write_bytes(content)
    output = qhn("sweep", command, path, code=2)
    assert words in output
    assert "Traceback" not in output


def test_a_byte_order_mark_is_no_mistake(qhn):
    path = qhn.folder / "marked.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SWEEP.replace("[1, 1.0]", "1").encode())
    assert "planned: none of the 6 trials" in qhn("sweep", "plan", path)


def test_a_summary_file_is_checked_without_touching_it(tmp_path):
    old = tmp_path / "old.json"
    old.write_text("")
    link = tmp_path / "link.json"
    link.symlink_to(old)
    for path in (old, link, tmp_path / "new" / "deep.json", Path("/dev/null")):
        SummaryFile(path).check()
    assert old.exists() and not (tmp_path / "new").exists()
    for path in (tmp_path, old / "below.json", tmp_path / ("x" * 300)):
        with pytest.raises(StoreError, match="summary file must be writable"):
            SummaryFile(path).check()


def test_only_a_regular_file_is_cleared_and_links_stay_links(tmp_path):
    SummaryFile(Path("/dev/null")).clear()
    assert Path("/dev/null").is_char_device()
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    target.write_text("of an earlier run")
    link.symlink_to(target)
    summary = SummaryFile(link)
    summary.clear()
    assert link.is_symlink() and not target.exists()
    summary.write("{}")
    assert link.is_symlink() and target.read_text() == "{}"
