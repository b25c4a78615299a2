"""Which Ray an address means, by the processes that run on this machine."""

import pytest

from qhn.core.errors import InvalidValueError, RayError
from qhn.sweeps.driver import raylets
from qhn.sweeps.driver.neighbours import private_folder
from qhn.sweeps.driver.raylets import Raylet, check_address, find_raylet

HERE = Raylet("127.0.0.1:6379", "127.0.0.1", "/tmp/ray/session_1")
HEAD = Raylet("192.0.2.7:6380", "192.0.2.7", "/tmp/ray/session_2")
ELSEWHERE = Raylet("198.51.100.1:6381", "192.0.2.7", "/tmp/ray/session_3")
OF_A_SWEEP = Raylet("127.0.0.1:7000", "127.0.0.1", f"{private_folder()}/ray-1/session_4")


@pytest.fixture
def running(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def set_to(*found):
        monkeypatch.setattr(raylets, "local_raylets", lambda: iter(found))

    return set_to


@pytest.mark.parametrize("address", ["", "6379", "ray://127.0.0.1:10001", "a b:1", "host:", ":1"])
def test_what_cannot_be_an_address_is_refused(address):
    with pytest.raises(InvalidValueError, match=r"must be auto or HOST:PORT, but got .*submit`"):
        check_address(address)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("127.0.0.1:6379", HERE),
        ("localhost:6379", HERE),
        # The head is on this machine, and people call it so.
        ("127.0.0.1:6380", HEAD),
        ("192.0.2.7:6380", HEAD),
        ("198.51.100.1:6381", ELSEWHERE),
    ],
)
def test_an_address_means_the_ray_with_this_head(running, address, found):
    running(OF_A_SWEEP, HERE, HEAD, ELSEWHERE)
    assert find_raylet(address) == found


def test_auto_means_the_only_ray_but_never_that_of_a_sweep(running):
    running(OF_A_SWEEP, HEAD)
    assert find_raylet("auto") == HEAD


def test_in_a_job_auto_means_the_ray_that_runs_the_job(running, monkeypatch):
    running(HERE, HEAD)
    monkeypatch.setenv("RAY_ADDRESS", HEAD.address)
    assert find_raylet("auto") == HEAD
    assert find_raylet(HERE.address) == HERE
    # This may also be the address of a job server, which is none to attach to.
    monkeypatch.setenv("RAY_ADDRESS", "http://192.0.2.7:8265")
    with pytest.raises(RayError, match="there are several"):
        find_raylet("auto")


@pytest.mark.parametrize(
    ("address", "there", "message"),
    [
        ("auto", [], "none runs here; start one with `ray start --head`"),
        ("auto", [OF_A_SWEEP], "none runs here"),
        ("auto", [HERE, HEAD], "several .here are: 127.0.0.1:6379, 192.0.2.7:6380."),
        ("127.0.0.1:1", [HERE], "no process of that Ray runs here .here are: 127.0.0.1:6379."),
        ("127.0.0.1:6381", [ELSEWHERE], "`ray start --address=127.0.0.1:6381`.* job server"),
        ("127.0.0.1:7000", [OF_A_SWEEP, HERE], "belongs to another sweep"),
    ],
)
def test_a_ray_that_cannot_be_meant_is_one_message(running, address, there, message):
    running(*there)
    with pytest.raises(RayError, match=message):
        find_raylet(address)


def test_only_a_loopback_address_is_one():
    assert HERE.is_loopback and not HEAD.is_loopback
    assert not Raylet("host:1", "host", "").is_loopback
