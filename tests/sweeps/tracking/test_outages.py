"""A tracking server that goes away, hangs or loses answers while a sweep is written to it."""

import random
import threading

import pytest
from served import LIMIT_S
from tracked_examples import runs_of
from written import Written, check, until

from qhn.core.errors import TrackingError
from qhn.sweeps.tracking import writer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setattr(writer, "_LAST_WAITS_S", 0.05)


@pytest.fixture
def written(proxy, sweep):
    return Written(proxy.uri, sweep)


@pytest.fixture
def client(server):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=server.uri)


@pytest.mark.parametrize("fault", ["refuse", "503", "cut", "hang"])
def test_an_outage_loses_nothing_and_doubles_nothing(written, proxy, client, sweep, fault, caplog):
    written.end_first()
    if fault == "refuse":
        proxy.refuse()
    else:
        proxy.fault = lambda method, path: fault
    written.end(written.trials)
    until(lambda: caplog.text.count("trying again") >= 2)
    if fault == "refuse":
        proxy.listen()
    proxy.heal()
    written.finish()
    check(client, sweep, written.plan)


@pytest.mark.parametrize("fault", ["cut", "500"])
def test_whatever_request_fails_is_repeated(written, proxy, client, sweep, fault):
    """A server that fails again and again: to make runs, to write to them, to end them."""
    chance = random.Random(0)
    proxy.fault = lambda method, path: fault if chance.random() < 0.5 else None
    written.end(written.trials)
    written.finish()
    kinds = {path.rpartition("/")[2] for _, path in proxy.hit}
    assert len(proxy.hit) >= 8 and len(kinds) >= 3
    check(client, sweep, written.plan)


def test_runs_that_a_late_request_has_made_are_removed_in_the_end(written, proxy, client, sweep):
    """The client has given up and made another run, when the server makes the first one."""
    late = iter(["late"] * 2)
    proxy.fault = lambda method, path: next(late, None) if path.endswith("runs/create") else None
    written.end(written.trials)
    until(lambda: written.writer.waiting == 0 and len(runs_of(client, sweep, "trial")) == 2)
    proxy.heal()
    assert len(proxy.hit) == 2
    assert len(runs_of(client, sweep)) == 1 + 2 + 2 + len(proxy.hit)
    written.finish()
    check(client, sweep, written.plan)


@pytest.mark.parametrize("path", ["log-batch", "a.txt", "set-experiment-tag"])
def test_an_outage_while_the_sweep_is_closed_is_waited_for(written, proxy, client, sweep, path):
    written.end(written.trials)
    assert written.writer.finish(written.trials, LIMIT_S) == 0
    left = iter(["503"] * 3)
    proxy.fault = lambda method, asked: next(left, None) if asked.endswith(path) else None
    written.writer.close_sweep("FINISHED", {"a.txt": "text"}, {}, "note", patience_s=LIMIT_S)
    assert next(left, None) is None
    check(client, sweep, written.plan)


def test_a_server_that_stays_away_is_given_up(written, proxy):
    proxy.refuse()
    written.end(written.trials)
    assert written.writer.finish(written.trials, 0.2) == len(written.trials)
    with pytest.raises(TrackingError, match="must be usable"):
        written.writer.close_sweep("FINISHED", {}, {}, patience_s=0.2)
    proxy.listen()


def test_an_outage_that_ends_shortly_before_the_patience_does_is_survived(written, proxy):
    """The pauses have grown long in mid-sweep, but at the end somebody waits."""
    proxy.refuse()
    written.end(written.trials)
    with written.writer._changed:
        written.writer._first_wait_s = 1000.0
    healing = threading.Timer(1.0, lambda: (proxy.listen(), proxy.heal()))
    healing.start()
    assert written.writer.finish(written.trials, 20.0) == 0
    healing.join()


def test_a_hanging_server_at_the_start_is_said_after_one_timeout(proxy, sweep):
    proxy.fault = lambda method, path: "hang"
    with pytest.raises(TrackingError, match="timeout"):
        Written(proxy.uri, sweep)
    assert len(proxy.asked) == 1
    proxy.heal()


def test_what_others_have_written_meanwhile_is_not_written_again(written, proxy, client, sweep):
    """A writer that was not the owner for a while reads all runs again before it goes on."""
    other = Written(proxy.uri, sweep)
    other.end(other.trials)
    other.finish()
    written.runs._experiment.doubt()
    written.end(written.trials)
    written.finish()
    check(client, sweep, written.plan)
