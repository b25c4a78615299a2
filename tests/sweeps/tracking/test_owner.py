"""Two stores that write a sweep of the same name to one MLflow server."""

import json
import time

import pytest
from served import LIMIT_S

from qhn.core.errors import OwnerError, TrackingError
from qhn.core.metrics import BY_NAME
from qhn.core.training.history import History
from qhn.sweeps.planning.plan import make_plan
from qhn.sweeps.spec import parse_spec
from qhn.sweeps.store import TrialResult, open_store
from qhn.sweeps.tracking import Knowledge, TrackingLocation, WriterProcess
from qhn.sweeps.tracking.claims import CLAIM_TAG, Claim
from qhn.sweeps.tracking.experiment import Experiment
from qhn.sweeps.tracking.owning import own
from qhn.sweeps.tracking.removal import remove_experiment

SPEC = "{{name: {}, datasets: [moons], objectives: [mle], seeds: 3}}"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def save(store, trial):
    rows = History()
    for step in (0, 10):
        rows.append(step, 1000 + step, dict.fromkeys(BY_NAME, 0.5))
    store.save_checkpoint(trial.trial_id, {"history": rows.to_array()})
    result = TrialResult(trial.trial_id, "finished", 10, rows.last(), {}, (), 1.0, 1000, 2000)
    store.save_result(result)


class Driver:
    """What a driver does with its writer, in a store of its own."""

    def __init__(self, folder, uri, name):
        self.store = open_store(str(folder))
        self.text = SPEC.format(name)
        self.trials = make_plan(parse_spec(self.text)).trials
        for trial in self.trials:
            save(self.store, trial)
        self.location = TrackingLocation(uri)

    def start(self):
        self.writer = WriterProcess(self.location, self.store, self.text, Knowledge({}, {}))
        self.writer.start()

    def is_ready(self):
        try:
            self.writer.wait_until_ready()
        except OwnerError as error:
            self.refusal = str(error)
            return False
        return True

    def finish(self):
        self.writer.update(self.trials)
        assert self.writer.finish(self.trials, LIMIT_S) == 0
        self.writer.close_sweep("FINISHED", {}, {}, "note", LIMIT_S)
        self.writer.end()


def runs(client, name, kind):
    experiment = client.get_experiment_by_name(name).experiment_id
    return client.search_runs([experiment], f"tags.`qhn.kind` = '{kind}'")


def claims(client, name):
    tags = client.get_experiment_by_name(name).tags
    return {tag: json.loads(text) for tag, text in tags.items() if tag.startswith(CLAIM_TAG)}


@pytest.fixture
def client(server):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=server.uri)


def test_of_two_stores_that_begin_at_once_one_writes_and_the_other_follows(
    server, client, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "somebody")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a-planted-secret")
    with_password = server.uri.replace("//", "//somebody:a-planted-secret@")
    drivers = [Driver(tmp_path / name, with_password, "raced") for name in ("one", "two")]
    try:
        for driver in drivers:
            driver.start()
        ready = [driver.is_ready() for driver in drivers]
        assert sorted(ready) == [False, True]
        first, second = sorted(drivers, key=lambda driver: not ready[drivers.index(driver)])
        (claim,) = claims(client, "raced").values()
        assert claim["store"] == first.store.shown
        assert claim["process"] == first.writer.process_id
        assert f"process {claim['process']} on {claim['host']}" in second.refusal
        second.writer.end()
        first.finish()
        assert claims(client, "raced") == {}
        made = {run.info.run_id for kind in KINDS for run in runs(client, "raced", kind)}
        second.start()
        assert second.is_ready()
        second.finish()
        assert {run.info.run_id for kind in KINDS for run in runs(client, "raced", kind)} == made
        assert [len(runs(client, "raced", kind)) for kind in KINDS] == [1, 1, 3]
        secret = "a-planted-secret"
        assert secret not in str(client.get_experiment_by_name("raced").tags)
        assert not any(secret in str(run.to_dictionary()) for run in runs(client, "raced", "trial"))
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and holds(path, secret)]
        assert secret not in second.refusal
        # The writers' log goes to standard error.
        assert not any(secret in printed for printed in capfd.readouterr())
    finally:
        for driver in drivers:
            driver.writer.end()


KINDS = ("sweep", "group", "trial")


def holds(path, secret):
    return secret.encode() in path.read_bytes()


@pytest.fixture
def kept(tmp_path):
    return open_store(str(tmp_path)).sweep("owned")


@pytest.fixture
def experiment(proxy, sweep):
    return Experiment(TrackingLocation(proxy.uri), sweep)


def test_a_claim_costs_four_requests_and_the_store_s_next_writer_replaces_it(
    proxy, experiment, kept, client, sweep
):
    location, begin = TrackingLocation(proxy.uri), len(proxy.asked)
    dead = own(experiment, location, kept)
    assert len(proxy.asked) - begin == 4
    dead._ended.set()  # it was killed: nobody renews its claim or removes it
    (former,) = claims(client, sweep)
    experiment = Experiment(location, sweep)
    renewal = own(experiment, location, kept)
    (tag,) = claims(client, sweep)
    assert tag != former
    begin = len(proxy.asked)
    renewal.release()
    assert len(proxy.asked) - begin == 1
    assert claims(client, sweep) == {}
    with pytest.raises(TrackingError):
        experiment.create({}, None)


def test_a_server_that_cannot_delete_tags_gets_an_empty_one(proxy, experiment, kept, client, sweep):
    location = TrackingLocation(proxy.uri)
    renewal = own(experiment, location, kept)
    proxy.fault = lambda method, path: "404" if path.endswith("delete-experiment-tag") else None
    renewal.release()
    assert [*client.get_experiment_by_name(sweep).tags.values()] == [""]
    own(Experiment(location, sweep), location, kept).release()


def test_who_may_only_read_is_told_so(proxy, experiment, kept):
    proxy.fault = lambda method, path: None if method == "GET" else "403"
    with pytest.raises(TrackingError, match="may only read") as refused:
        own(experiment, TrackingLocation(proxy.uri), kept)
    assert "permission" in str(refused.value)


def foreign(renewed_ms):
    return Claim("f" * 32, True, 7, renewed_ms - 1000, renewed_ms, "far", 321, "s3://bucket/store")


def test_a_sweep_that_another_store_writes_is_refused_and_trains_nothing(qhn, database, sweep):
    name = "elsewhere"
    experiment = Experiment(database, name)
    claim = foreign(int(time.time() * 1000))
    experiment.client.set_experiment_tag(experiment.id, claim.tag, claim.to_text())
    file = qhn.write(SPEC.format(name))
    output = qhn.process("sweep", "run", file, "--tracking-uri", database.uri, code=2)
    assert "but process 321 on far with the store s3://bucket/store has done so" in output
    assert "Traceback" not in output
    assert qhn.store.trial_ids() == []
    assert not experiment.client.search_runs([experiment.id])


def test_an_experiment_that_another_store_writes_is_not_deleted(database, sweep):
    experiment = Experiment(database, sweep)
    now_ms = int(time.time() * 1000)
    claim = foreign(now_ms)
    experiment.client.set_experiment_tag(experiment.id, claim.tag, claim.to_text())
    with pytest.raises(OwnerError, match="process 321 on far with the store s3://bucket/store"):
        remove_experiment(database, sweep)
    assert remove_experiment(database, sweep, [claim.token])
