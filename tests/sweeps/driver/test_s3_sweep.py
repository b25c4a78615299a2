"""A whole sweep with real Ray and MLflow, whose store is in S3."""

import csv
import json
import shutil

import pytest

from qhn.sweeps.store import open_store
from qhn.sweeps.store.local import local_folder
from qhn.sweeps.store.tenure import Tenure

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

STEPS = 30_000
TEXT = (
    "name: far\ndatasets: [moons]\nobjectives: [mle, {name: elbo, lambda: 1}]\nseeds: 2\n"
    f"training: {{steps: {STEPS}, report_every: {STEPS // 100}}}\n"
)


@pytest.fixture
def far(qhn, s3_server, s3_store, fresh_database, monkeypatch):
    """A command line on a store in S3. What lies on this machine is in a home of its own."""
    monkeypatch.setenv("HOME", str(qhn.folder / "home"))
    address = s3_store()
    qhn.store = open_store(address)
    qhn.root = local_folder(qhn.store)
    for name in [name for name in qhn.environment if name.startswith("AWS_")]:
        del qhn.environment[name]
    qhn.environment |= s3_server.environment
    qhn.environment |= {"QHN_STORE": address, "HOME": str(qhn.folder / "home")}
    qhn.root.mkdir(parents=True)
    shutil.copy(fresh_database, qhn.root / "mlflow.db")
    return qhn


def test_a_sweep_that_another_driver_took_over_goes_on_and_has_the_same_numbers(
    far, tmp_path_factory
):
    file = far.write(TEXT)
    trials = far.trials(file)
    here = type(far)(tmp_path_factory.mktemp("here"))
    expected = here.train(file)

    driver = far.start("sweep", "run", file, "--cpus", 2)
    far.wait(driver, lambda: far.store.backend.list(f"{trials[0]}/checkpoint"))
    assert far.status("far")["running"] > 0
    assert "It is run by process" in far("sweep", "status", "far")
    # As a driver does that finds a lease which was not renewed.
    objects, key = far.store.backend._objects, "sweeps/far/lock"
    other = Tenure(9, "other", 20.0, "process 1 on another-machine")
    objects.write(key, other.to_bytes())
    output, _ = driver.communicate(timeout=120)
    assert driver.returncode == 2, output
    assert output.count("process 1 on another-machine has taken it over") == 1, output
    assert "nothing is lost" in output
    assert "Traceback" not in output
    assert "one driver at a time" in output
    assert open_store(far.store.uri).sweep("far").lock.holder() == other.note
    objects.delete([key])

    summary = far.folder / "summary.json"
    output = far.process("sweep", "resume", "far", "--cpus", 2, "--summary", summary)
    assert "MLflow's database is on this machine alone" in output.replace("\n", " ")
    assert json.loads(summary.read_text())["results_digest"] == expected
    far.check_tracking(file, "far", STEPS)

    far.store.save_config("f" * 16, "{}")  # of no sweep
    assert "far" in far("sweep", "list")
    assert far.status("far")["finished"] == 4
    assert "elbo" in far("sweep", "show", "far")
    rows = list(csv.DictReader(far("sweep", "export", "far").splitlines()))
    assert [row["trial_id"] for row in rows] == trials
    settings = far.folder / "config.json"
    settings.write_text(far.store.config(trials[0]))
    far("train", "--trial", settings)
    assert "planted-secret" not in "".join(
        found.content.decode(errors="replace")
        for found in objects.read_many([item.key for item in objects.items("")]).values()
    )
    assert not any(
        b"planted-secret" in path.read_bytes() for path in far.root.rglob("*") if path.is_file()
    )
    far("sweep", "delete", "far", "--yes")
    assert far.store.trial_ids() == ["f" * 16]
    assert "no sweeps" in far("sweep", "list")
