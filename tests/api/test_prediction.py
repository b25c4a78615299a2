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
    longer = posterior.to_json().replace('"indices": [', '"indices": [99, ')
    for text in ("", "{}", '{"format": 2}', longer):
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
        ("1,2\n3,nan\n4,x\n", "has others in line 2, 3"),
        ("1,nan,3\n", "but has 3; leave out labels and row numbers; and it must have finite"),
        ("", "must be a CSV file"),
    ],
)
def test_files_that_cannot_be_predicted(reused, points, text, words):
    points.write_text(text)
    output = " ".join(reused("predict", reused.trial, "--data", points, code=2).split())
    assert output.startswith("error: ") and words in output


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
    reused.process("model", reused.trial, folder)
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
        except (ConnectionError, urllib.error.URLError):
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)


def _end(server):
    children = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    for process in [*children, server]:
        process.kill()
    server.wait()
