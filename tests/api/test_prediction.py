"""Predictions of a trained trial: from Python, by the command, and from a served model."""

import csv
import io
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import psutil
import pytest

import qhn as package
from qhn.core import networks
from qhn.core.errors import InvalidValueError
from qhn.core.evaluation.predictive import predictive
from qhn.core.evaluation.stored_posterior import StoredPosterior

SPEC = """
name: reused
datasets: [{name: moons, train: 20, test: 20}]
networks: [{kind: mlp, hidden: 1}]
objectives: [{name: elbo, lambda: 3}]
seeds: 1
training: {steps: 20}
"""
POINTS = np.array([[0.5, -1.0], [1.5, 0.25], [-2.0, 3.0]])


@pytest.fixture(scope="module")
def reused(tmp_path_factory, new_qhn):
    qhn = new_qhn(tmp_path_factory.mktemp("reused"))
    file = qhn.write(SPEC)
    qhn.train(file)
    (qhn.trial,) = qhn.trials(file)
    return qhn


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in POINTS.tolist()))
    return path


def test_python_predicts_the_mean_over_networks(reused):
    trial = package.load_trial(reused.trial, reused.root)
    found = trial.predict(POINTS)
    expected = predictive(networks.mlp(2, 1), trial.probabilities(), POINTS)
    assert found["probability"].to_numpy() == pytest.approx(expected.probability, abs=1e-12)
    assert found["epistemic"].to_numpy() == pytest.approx(expected.epistemic, abs=1e-12)
    assert found["label"].tolist() == (expected.probability > 0.5).tolist()
    with pytest.raises(InvalidValueError, match="x must have the shape"):
        trial.predict([[1.0]])


def test_a_posterior_is_read_back_as_it_was(reused):
    posterior = package.load_trial(reused.trial, reused.root).posterior()
    again = StoredPosterior.from_json(posterior.to_json())
    assert (again.predict(POINTS).probability == posterior.predict(POINTS).probability).all()


GOOD = {"format": 1, "n_inputs": 2, "hidden": 1, "indices": [3, 1], "probabilities": [0.5, 0.5]}


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"n_inputs": 10**9},
        {"n_inputs": 0},
        {"hidden": 0},
        {"hidden": -1},
        {"hidden": 10**9},
        {"indices": [99, 3, 1]},
        {"indices": [64, 1]},
        {"indices": [-1, 1]},
        {"indices": [1, 1]},
        {"indices": [10**30, 1]},
        {"indices": [], "probabilities": []},
        {"probabilities": [0.5, 0.6]},
        {"probabilities": [-0.5, 1.5]},
        {"probabilities": ["a", 1.0]},
    ],
)
def test_texts_that_are_no_posterior(change):
    assert StoredPosterior.from_json(json.dumps(GOOD)).predict(POINTS)
    for text in (json.dumps({**GOOD, **change}), "", "{}", "[]"):
        with pytest.raises(InvalidValueError, match="posterior cannot be read"):
            StoredPosterior.from_json(text)


@pytest.mark.parametrize("header", ["", "x, y\n"])
def test_the_command_predicts_a_file(reused, points, header):
    points.write_text(header + points.read_text())
    rows = list(csv.DictReader(io.StringIO(reused("predict", reused.trial, "--data", points))))
    expected = package.load_trial(reused.trial, reused.root).predict(POINTS)
    assert [float(row["probability"]) for row in rows] == expected["probability"].tolist()
    assert [row["row"] for row in rows] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3\n", "must have 2 columns, one for each coordinate of a point, but has 3"),
        ("1,2\n\n3,nan\n4,x\n", "has something else on line 3, 4"),
        ("nan,nan\n1,2\n", "has something else on line 1"),
        ("x,1\n", "line 1, which is taken for a header since 'x' is no number"),
        ("1,2\n3\n4,inf\n", "which has 2, but has others on line 2; mend these lines; and it"),
        ("", "must be a CSV file"),
    ],
)
def test_files_that_cannot_be_predicted(reused, points, text, words):
    points.write_text(text)
    output = " ".join(reused("predict", reused.trial, "--data", points, code=2).split())
    assert output.startswith("error: ") and words in output


def test_a_trial_that_has_not_ended_is_not_predicted(reused, points):
    file = reused.write(SPEC.replace("seeds: 1", "seeds: [7]").replace("reused", "waiting"))
    reused.store.sweep("waiting").save_file(file.read_text())
    (trial,) = reused.trials(file)
    output = " ".join(reused("predict", trial, "--data", points, code=2).split())
    assert "has no posterior yet, since it is not over" in output


def test_what_is_missing_is_named(reused, points):
    assert "there is no" in reused("predict", reused.trial, "--data", points.parent / "no", code=2)
    assert "no trial 'abcdef'" in reused("predict", "abcdef", "--data", points, code=2)
    (points.parent / "full").mkdir()
    (points.parent / "full" / "file").touch()
    assert "new or empty folder" in " ".join(
        reused("model", reused.trial, points.parent / "full", code=2).split()
    )


def test_a_served_model_answers_what_python_says(reused, tmp_path):
    folder = tmp_path / "model"
    said = reused.process("model", reused.trial[:8], folder)
    assert "type hint" not in said
    # The whole id, although only its beginning was given.
    assert f"trial: {reused.trial}" in (folder / "MLmodel").read_text()
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle")]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder)]
    options = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "server.txt").open("wb") as log:
        server = subprocess.Popen(
            [*command, *options], stdout=log, stderr=log, env=reused.environment, cwd=tmp_path
        )
    try:
        answer = _ask(port, {"inputs": POINTS.tolist()}, server)
    finally:
        _end(server)
    expected = package.load_trial(reused.trial, reused.root).predict(POINTS)
    assert [row["probability"] for row in answer["predictions"]] == pytest.approx(
        expected["probability"].tolist()
    )


def _ask(port, content, server):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        json.dumps(content).encode(),
        {"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            # It has answered, so that to ask again would only hide what is wrong.
            raise AssertionError(error.read().decode()) from None
        except (ConnectionError, urllib.error.URLError):
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)


def _end(server):
    children = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    for process in [*children, server]:
        process.kill()
    server.wait()
