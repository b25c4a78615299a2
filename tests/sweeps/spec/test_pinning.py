"""Digests of data files, as they are filled into sweep files."""

import json

import numpy as np
import pytest

from qhn.api.mapping import as_file
from qhn.core.data.point_files import read_points_file
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import InvalidSpecError, load_spec, parse_spec, read_spec
from qhn.sweeps.spec.pinning import pinned

REST = "objectives: mle\nseeds: 2\nnetworks: [{kind: mlp, hidden: 1}]\n"
ROWS = "a,b,kind\n" + "\n".join(f"{i},{i % 3},{i % 2}" for i in range(40)) + "\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "points.csv").write_text(ROWS)
    return tmp_path


@pytest.fixture
def digest(folder):
    return read_points_file(folder / "points.csv").digest


def pin(folder, text):
    return pinned(text.encode(), "sweep.yaml", folder).decode()


@pytest.mark.parametrize(
    "entry",
    [
        "datasets: {name: file, path: points.csv, train: 20}\n",
        "datasets: [moons, {path: points.csv, 'name': 'file', train: 20}]\n",
        "datasets:\n  - moons\n  - name: file  # mine\n    path: points.csv\n    train: 20\n",
        "datasets:\n  path: points.csv\n  name: file\n  train: 20\n",
        '{"datasets": [{"name": "file", "path": "points.csv", "train": 20}],\n REST}',
    ],
)
def test_the_digest_is_filled_in_wherever_the_entry_stands(folder, digest, entry):
    rest = "name: x\n" + REST
    if "REST" in entry:
        text = entry.replace("REST", '"name": "x", "objectives": "mle", "seeds": 2')
    else:
        text = rest + entry
    found = pin(folder, text)
    spec = parse_spec(found)
    (dataset,) = [d for d in spec.datasets if d.name == "file"]
    assert (dataset.digest, dataset.path, dataset.train) == (digest, "points.csv", 20)
    # All else is as it was, and a second time nothing is changed.
    assert found.replace(f"digest: {digest}", "").split() != [] and "# mine" in found + "# mine"
    assert pin(folder, found) == found
    assert parse_spec(json.dumps(spec.content())).datasets[-1].digest == digest


def test_the_path_is_no_part_of_a_trial(folder, digest):
    (folder / "other.npz").write_bytes(b"")
    points = read_points_file(folder / "points.csv")
    np.savez(folder / "other.npz", x=points.x, y=points.y)
    plans = []
    for path in ("points.csv", "other.npz"):
        file = folder / "sweep.yaml"
        file.write_text(f"name: x\ndatasets: {{name: file, path: {path}, train: 20}}\n{REST}")
        plans.append(make_plan(load_spec(file)))
    assert [t.trial_id for t in plans[0].trials] == [t.trial_id for t in plans[1].trials]
    config = plans[0].trials[0].config
    assert "path" not in config.content()["dataset"]
    assert config.content()["dataset"]["digest"] == digest
    assert (config.n_qubits, config.dataset.test) == (2 * 1 + 2 + 2, 20)


def test_all_mistakes_are_told_together(folder):
    text = (
        "name: x\ndatasets:\n- {name: file, path: absent.csv}\n"
        "- {name: file, path: points.csv, label: color}\n- {name: file}\n- file\n"
        "- {name: moons, path: points.csv}\n- {name: mnist, label: y, path: absent}\nseeds: 0\n"
        "objectives: mle\n"
    )
    with pytest.raises(InvalidSpecError) as caught:
        pin(folder, text)
    said = str(caught.value)
    for words in (
        "line 3: datasets[0].path: points are read from a file, but there is no",
        "line 4: datasets[1].path: ",
        "must have one column 'color'",
        "line 5: datasets[2]: missing: its points; name the file that has them with path",
        "line 6: datasets[3]: missing: its points",
        "line 7: datasets[4].path: moons takes no path, leave it out",
        "line 8: datasets[5].path: images are read from a file, but there is no",
        "line 9: seeds",
    ):
        assert words in said, said


def test_a_file_that_has_changed_is_refused(folder, digest):
    text = f"name: x\ndatasets: {{name: file, path: points.csv, digest: {digest}}}\n{REST}"
    assert pin(folder, text) == text
    (folder / "points.csv").write_text(ROWS + "1,1,1\n")
    with pytest.raises(InvalidSpecError, match="the file has changed since: its points are 41x2"):
        pin(folder, text)
    # On another machine there is no such file, and the store has the points.
    (folder / "points.csv").unlink()
    assert pin(folder, text) == text


def test_a_mapping_has_paths_from_where_the_program_runs(folder, digest, monkeypatch):
    monkeypatch.chdir(folder)
    mapping = {
        "name": "x",
        "datasets": [{"name": "file", "path": "", "train": 20}],
        "objectives": "mle",
        "seeds": 1,
    }
    for path in (folder / "points.csv", "points.csv"):
        mapping["datasets"][0]["path"] = path
        assert parse_spec(as_file(mapping)).datasets[0].digest == digest


def test_files_without_data_files_are_read_as_they_are(folder):
    file = folder / "sweep.yaml"
    for text in ("", "[", "name: mnist\n", "\ufeffname: x\n", "datasets: 3 # file\n"):
        file.write_text(text, encoding="utf-8")
        assert read_spec(file) == text.encode()
