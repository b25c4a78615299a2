"""Leases, with clocks that a test moves: of the server, and of a holder."""

import pytest
from dict_objects import DictObjects

from qhn.core.errors import FencedError, StoreError
from qhn.sweeps.store import lease as leases
from qhn.sweeps.store import process_name as process_names
from qhn.sweeps.store.backend import held
from qhn.sweeps.store.lease import Lease
from qhn.sweeps.store.object_store import ObjectBackend
from qhn.sweeps.store.process_name import is_known_alive, process_name
from qhn.sweeps.store.tenure import DOUBT_S, Tenure

TERM = 20.0


class World:
    """A store, and machines whose clocks run at the same speed and show different times."""

    def __init__(self):
        self.objects = DictObjects()

    def wait(self, seconds):
        self.objects.time += seconds

    def lease(self, ahead=0.0):
        return Lease(
            self.objects,
            "a/lock",
            "s3://bucket/a/lock",
            TERM,
            now=lambda: self.objects.time + ahead,
            sleep=self.wait,
            renews=False,
        )


@pytest.fixture
def world(monkeypatch):
    # All holders are in this process. Of those on other machines it is not known if they live.
    monkeypatch.setattr(leases, "process_name", lambda: None)
    return World()


def test_each_holder_has_a_greater_token(world):
    tokens = []
    for _ in range(3):
        lease = world.lease()
        assert lease.acquire(0.0)
        tokens.append(lease.token)
        lease.release()
        assert lease.token is None
    assert tokens == [1, 2, 3]


def test_a_lease_that_is_not_renewed_is_over_after_its_term_and_not_before(world):
    dead, next_one = world.lease(), world.lease(ahead=1e6)
    assert dead.acquire(0.0, "process 1 on a")
    world.wait(TERM + DOUBT_S - 0.1)
    assert next_one.holder() == "process 1 on a"
    assert dead.lost_to() is None
    world.wait(0.1)
    assert next_one.holder() is None
    assert next_one.acquire(0.0)
    assert next_one.token == 2


def test_no_patience_is_too_short_to_wait_for_the_end_of_a_dead_holder(world):
    assert world.lease().acquire()
    next_one = world.lease()
    assert next_one.acquire(patience_s=0.5)
    assert TERM + DOUBT_S <= world.objects.time < TERM + DOUBT_S + 2.0


def test_a_holder_that_lives_keeps_its_lease(world):
    holder = world.lease()
    assert holder.acquire()
    renewed = []

    def wait(seconds):
        world.wait(seconds)
        if world.objects.time > 5.0 * (len(renewed) + 1):
            renewed.append(holder.renew())

    other = world.lease()
    other._sleep = wait
    assert not other.acquire(patience_s=0.5)
    assert len(renewed) == 1, "one renewal shows that the holder lives"
    assert not other.acquire(patience_s=60.0)
    assert holder.token == 1
    holder.check()


def test_a_holder_that_was_paused_learns_that_its_lease_was_taken(world):
    paused, other = world.lease(), world.lease()
    assert paused.acquire()
    paused.check()
    world.wait(TERM + DOUBT_S)
    assert other.acquire(0.0, "process 2 on b")
    with pytest.raises(FencedError, match="process 2 on b has taken it over"):
        paused.check()
    assert paused.lost_to() == "process 2 on b"
    paused.release()
    assert other.holder() == "process 2 on b"
    other.check()


def test_a_lease_is_not_lost_by_lateness_alone(world):
    """If nobody wanted it meanwhile, the holder goes on, with its token."""
    late = world.lease()
    assert late.acquire()
    world.wait(10 * TERM)
    late.check()
    assert (late.token, late.lost_to()) == (1, None)


def test_a_lease_that_another_one_had_for_a_moment_is_lost(world):
    paused, other = world.lease(), world.lease()
    assert paused.acquire()
    world.wait(TERM + DOUBT_S)
    with held(other):
        pass
    with pytest.raises(FencedError):
        paused.check()
    assert paused.acquire(0.0)
    assert paused.token == 3
    paused.check()


def test_while_the_store_is_away_nothing_is_believed_after_the_term(world):
    holder = world.lease()
    assert holder.acquire()
    world.objects.away = True
    asked = len(world.objects.requests)
    world.wait(TERM - 0.1)
    holder.check()
    assert len(world.objects.requests) == asked, "within its term a lease needs no request"
    world.wait(0.1)
    with pytest.raises(StoreError, match="away"):
        holder.check()
    world.objects.away = False
    holder.check()


def test_a_term_begins_when_it_is_asked_for_and_not_when_it_is_granted(world):
    """The answer may have taken long, and the other side counts from the write."""
    holder = world.lease()
    world.objects.before_write = lambda: world.wait(TERM / 2)
    assert holder.acquire()
    world.objects.before_write = lambda: None
    world.wait(TERM / 2)
    asked = len(world.objects.requests)
    holder.check()
    assert len(world.objects.requests) == asked + 1


@pytest.mark.parametrize("what", ["acquire", "renew", "release"])
def test_a_write_whose_answer_was_lost_is_recognised(world, what):
    holder, other = world.lease(), world.lease()
    if what != "acquire":
        assert holder.acquire()
    world.objects.loses_answers = True
    getattr(holder, what)()
    world.objects.loses_answers = False
    if what == "release":
        assert other.holder() is None
        return
    assert (holder.token, holder.lost_to()) == (1, None)
    world.wait(TERM)
    holder.check()
    assert holder.token == 1


def test_of_all_who_see_the_end_of_a_lease_one_takes_it(world):
    first, second = world.lease(), world.lease()

    def meanwhile():
        world.objects.before_write = lambda: None
        assert second.acquire(0.0, "second")

    world.objects.before_write = meanwhile
    assert first.acquire(TERM) is True  # after the second one has not renewed it
    assert (first.token, second.token) == (2, 1)
    with pytest.raises(FencedError):
        second.check()


def test_what_is_no_lease_is_named(world):
    for content in (b"{", b"{}", b'{"format": 2, "token": "x", "by": null, "term_s": 1}'):
        world.objects.write("a/lock", content)
        with pytest.raises(StoreError, match="s3://bucket/a/lock must be a lease"):
            world.lease().acquire()


def test_whoever_was_killed_on_this_machine_is_not_waited_for(monkeypatch):
    here = process_name()
    assert is_known_alive(here) is True
    machine, process, began = here.rsplit(" ", 2)
    assert is_known_alive(f"{machine} {process} {int(began) + 1}") is False  # its id came again
    assert is_known_alive(f"{machine} 999999999 {began}") is False
    assert is_known_alive(f"another {process} {began}") is None
    assert is_known_alive(None) is None
    with monkeypatch.context() as hidden:
        hidden.setattr(process_names, "_fields", lambda process: None)
        assert is_known_alive(here) is None  # of another user, on a system that hides it
        assert is_known_alive(f"{machine} 999999999 {began}") is False
    gone = Tenure(1, "x", TERM, process=f"{machine} 999999999 {began}")
    assert gone.is_over(0.0)
    assert not Tenure(1, "x", TERM, process=here).is_over(0.0)
    assert Tenure(1, "x", TERM, process=here).is_over(TERM + DOUBT_S)


def test_a_server_whose_tags_mean_nothing_is_no_endless_loop(world, monkeypatch):
    backend = ObjectBackend(world.objects, "s3://bucket")
    monkeypatch.setattr(world.objects, "write_if", lambda key, content, tag: None)
    with pytest.raises(StoreError, match="must come through each time"):
        backend.put_if_newer("a/b", b"", 0, len)


class TestFencing:
    """What a process writes below the folder of a lease that it has lost."""

    @pytest.fixture
    def backends(self, world, monkeypatch):
        monkeypatch.setattr(leases, "_now", lambda: world.objects.time)
        made = [ObjectBackend(world.objects, "s3://bucket", TERM) for _ in range(2)]
        for backend in made:
            for folder in ("", "a", "lanes/q"):
                lease = backend.lock(folder)
                lease._renews, lease._sleep, lease._now = False, world.wait, leases._now
        return made

    @pytest.mark.parametrize("folder", ["", "a"])
    def test_nothing_is_written_any_more(self, world, backends, folder):
        first, second = backends
        first.put("a/b", b"1")
        assert first.lock(folder).acquire()
        first.put("a/b", b"2")
        world.wait(TERM + DOUBT_S)
        assert second.lock(folder).acquire(0.0)
        for use in (
            lambda: first.put("a/b", b"3"),
            lambda: first.put_if_newer("a/b", b"3", 9, len),
            lambda: first.move("a/b", "a/c"),
            lambda: first.move("d", "a/c"),
            lambda: first.delete("a/b"),
            lambda: first.remove("a"),
        ):
            with pytest.raises(FencedError):
                use()
        assert second.list() == ["a/b"]
        assert first.get("a/b") == b"2"
        if folder:
            first.put("ab/c", b"elsewhere it may write")
        first.lock(folder).release()
        first.put("a/b", b"what it writes without the lease is not fenced")

    def test_a_pause_in_the_last_moment_before_a_write_is_noticed_after_it(self, world, backends):
        first, second = backends
        assert first.lock("a").acquire()

        def pause():
            world.objects.before_write = lambda: None
            world.wait(TERM + DOUBT_S)
            assert second.lock("a").acquire(0.0)

        world.objects.before_write = pause
        with pytest.raises(FencedError):
            first.put("a/b", b"late")

    def test_a_late_write_does_not_replace_what_the_next_holder_wrote(self, world, backends):
        first, second = backends
        first.put_if_newer("a/b", b"1", 1, int)
        assert first.lock("a").acquire()

        def pause():
            world.objects.before_write = lambda: None
            world.wait(TERM + DOUBT_S)
            assert second.lock("a").acquire(0.0)
            second.put_if_newer("a/b", b"3", 3, int)

        world.objects.before_write = pause
        with pytest.raises(FencedError):
            first.put_if_newer("a/b", b"2", 2, int)
        assert second.get("a/b") == b"3"
