"""A sweep on points of a file, from its first run to one without the file."""

import pytest

import qhn as package

# Of MLflow's own libraries.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ROWS = "a,b,kind\n" + "\n".join(f"{i % 7},{i % 3},{i % 2}" for i in range(40)) + "\n"
SPEC = """
name: own
datasets: {name: file, path: points.csv, train: 20}
networks: [{kind: mlp, hidden: 1}]
objectives: [mle]
seeds: 2
training: {steps: 20}
"""


def test_the_store_has_the_points_from_then_on(qhn):
    data = qhn.folder / "points.csv"
    data.write_text(ROWS)
    file = qhn.write(SPEC)
    summary = qhn.run(file)
    assert (summary["finished"], summary["failed"]) == (2, 0)
    table = package.results("own", store=qhn.root)
    assert table["dataset.digest"].str.startswith("40x2-").all() and "dataset.path" not in table
    assert "points=" not in table["group"][0]
    # Another run with another file under the same name is refused, and so is one without a file.
    data.write_text(ROWS.replace("1,1,1", "5,1,1"))
    said = " ".join(qhn("sweep", "run", file, code=2).split())
    assert "points.csv: 40x2-" in said and "have changed since it was first run" in said
    data.unlink()
    assert "there is no" in qhn("sweep", "run", file, code=2)
    # To go on, neither is needed.
    longer = qhn.write(
        SPEC.replace("path: points.csv", f"digest: {table['dataset.digest'][0]}").replace(
            "seeds: 2", "seeds: 3"
        )
    )
    again = qhn.run(longer)
    assert (again["finished"], again["failed"], again["skipped"]) == (1, 0, 2)
    assert "of 3 trials" in qhn.process("sweep", "resume", "own")
    assert "points 40x2-" in qhn("sweep", "show", "own")
    assert "report.html" in qhn.process("report", "own")
