"""The contract of a backend, run over every implementation."""

import threading
import uuid

import pytest
from dict_objects import DictObjects
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from qhn.core.errors import StoreError
from qhn.sweeps.store.backend import held
from qhn.sweeps.store.folder import FolderBackend
from qhn.sweeps.store.memory import MemoryBackend
from qhn.sweeps.store.object_store import ObjectBackend
from qhn.sweeps.store.opening import open_store

BACKENDS = ["folder", "memory", "objects", "s3"]


@pytest.fixture
def make(tmp_path_factory, request):
    """A function that makes an empty place of a kind."""

    def make(kind):
        if kind == "folder":
            return FolderBackend(tmp_path_factory.mktemp("place") / "store")
        if kind == "memory":
            return MemoryBackend(uuid.uuid4().hex)
        if kind == "objects":
            return ObjectBackend(DictObjects(), "objects://")
        return open_store(request.getfixturevalue("s3_store")()).backend

    return make


@pytest.fixture(params=BACKENDS)
def backend(request, make):
    return make(request.param)


NO_KEYS = [
    *("", "/", "a/", "/a", "//a", "a//b", ".", "..", "../a", "a/../b", "a/./b", "/etc/passwd"),
    *("a\0b", "a/\udc80", "lock", "a/lock", "a/b.tmp"),
]


class TestContract:
    def test_what_was_put_is_got_whole(self, backend):
        assert backend.get("a/b.json") is None
        for content in (b"first", b"", bytes(range(256)) * 4000):
            backend.put("a/b.json", content)
            assert backend.get("a/b.json") == content
        backend.put("a/b.json", b"fleeting", durable=False)
        assert backend.get("a/b.json") == b"fleeting"

    def test_many_are_got_at_once_without_those_that_are_not_there(self, backend):
        backend.put("a/b", b"1")
        backend.put("c", b"2")
        assert backend.get_many(["c", "a/b", "a/none"]) == {"a/b": b"1", "c": b"2"}

    @pytest.mark.parametrize("key", NO_KEYS)
    def test_what_is_no_key_is_refused(self, backend, key):
        backend.put("a/b", b"1")
        for use in (
            lambda: backend.get(key),
            lambda: backend.get_many([key]),
            lambda: backend.put(key, b"x"),
            lambda: backend.put_if_newer(key, b"x", 0, len),
            lambda: backend.move(key, "c"),
            lambda: backend.move("a/b", key),
            lambda: backend.delete(key),
        ):
            with pytest.raises(StoreError, match="a key must be names"):
                use()
        assert backend.list() == ["a/b"]

    @pytest.mark.parametrize("folder", ["..", "a/..", "/a", "a//b"])
    def test_no_other_folder_is_listed_or_locked(self, backend, folder):
        with pytest.raises(StoreError, match="a key must be names"):
            backend.list(f"{folder}/")
        with pytest.raises(StoreError, match="a key must be names"):
            backend.lock(folder)

    def test_a_list_has_the_keys_that_begin_with_a_text(self, backend):
        assert backend.list() == []
        for key in ("a/b", "a/bc", "ab/c", "a/d/e", "f"):
            backend.put(key, b"")
        with held(backend.lock("a")):
            assert backend.list() == ["a/b", "a/bc", "a/d/e", "ab/c", "f"]
        assert backend.list("a/") == ["a/b", "a/bc", "a/d/e"]
        assert backend.list("a/b") == ["a/b", "a/bc"]
        assert backend.list("a/d/") == ["a/d/e"]
        assert backend.list("f/") == backend.list("g") == []

    def test_folders_are_named_and_measured(self, backend):
        assert (backend.folders(), backend.folders("a"), backend.size("a")) == ((), (), 0)
        contents = {"a/b": b"12" * 100_000, "a/d/e": b"345" * 100_000, "ab/c": b"", "f": b"6"}
        for key, content in (contents | {"g/b": contents["a/b"]}).items():
            backend.put(key, content)
        assert (backend.folders(), backend.folders("a")) == (("a", "ab", "g"), ("d",))
        assert (backend.folders("a/d"), backend.folders("f")) == ((), ())
        # A disk counts blocks, and memory and objects bytes.
        below, inside = backend.size("a"), backend.size("a/d")
        assert below > inside >= 300_000
        assert below - inside == backend.size("g") >= 200_000
        assert backend.size("none") == backend.size() == 0
        # Of many folders all is listed at once.
        assert backend.size("a", "g", *(f"none {n}" for n in range(50))) == below + below - inside

    def test_a_folder_goes_with_all_that_is_in_it_and_nothing_else(self, backend):
        for key in ("a/b", "a/d/e", "ab/c", "f"):
            backend.put(key, b"1")
        with held(backend.lock("a")):  # whoever deletes may hold its lock
            backend.remove("a")
            backend.remove("a")
        assert backend.list() == ["ab/c", "f"]
        assert "a" not in backend.folders()
        backend.put("a/b", b"2")
        assert backend.list() == ["a/b", "ab/c", "f"]
        backend.put("b/c", b"3")
        backend.remove("a", "b", *(f"none {n}" for n in range(50)))
        backend.remove()
        assert backend.list() == ["ab/c", "f"]

    @pytest.mark.parametrize("folder", ["", ".", "..", "a/..", "/a", "a//b"])
    def test_neither_the_top_nor_another_place_is_removed(self, backend, folder):
        backend.put("a/b", b"1")
        for use in (backend.remove, backend.size):
            with pytest.raises(StoreError, match="a key must be names"):
                use(folder)
        assert backend.list() == ["a/b"]

    def test_what_is_deleted_or_moved_is_gone(self, backend):
        backend.put("a/b", b"1")
        backend.move("a/b", "a/c")
        assert (backend.get("a/b"), backend.get("a/c")) == (None, b"1")
        backend.delete("a/c")
        backend.delete("a/c")
        backend.move("a/c", "a/d")
        assert backend.list() == []

    def test_nothing_takes_the_place_of_what_has_a_higher_rank(self, backend):
        accepted = [backend.put_if_newer("a", b"x" * n, n, len) for n in (3, 5, 4, 5, 6)]
        assert accepted == [True, True, False, True, True]
        assert backend.get("a") == b"x" * 6

    def test_a_rank_that_cannot_be_known_leaves_what_is_there(self, backend):
        backend.put("a", b"1")

        def refuse(content):
            raise LookupError(content)

        with pytest.raises(LookupError):
            backend.put_if_newer("a", b"2", 9, refuse)
        assert backend.get("a") == b"1"
        assert backend.put_if_newer("a", b"2", 9, len)

    def test_writers_at_once_never_go_back(self, backend):
        """Each writer counts upwards; what is there never counts downwards, whoever wrote it."""
        start, seen = threading.Barrier(5), []

        def write(first):
            start.wait()
            for number in range(first, 80, 4):
                backend.put_if_newer("a/b", b"%d" % number, number, int)

        def read():
            start.wait()
            while not seen or seen[-1] < 79:
                seen.append(int(backend.get("a/b") or b"-1"))

        threads = [threading.Thread(target=write, args=(first,)) for first in range(4)]
        threads.append(threading.Thread(target=read))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == sorted(seen)
        assert backend.get("a/b") == b"79"

    def test_threads_that_put_the_same_key_leave_one_content(self, backend):
        contents = [bytes([number]) * 100_000 for number in range(4)]

        def write(content):
            for _ in range(20):
                backend.put("a/b", content, durable=False)

        threads = [threading.Thread(target=write, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert backend.get("a/b") in [None, *contents]
        assert backend.get("a/b") in contents
        assert backend.list() == ["a/b"]

    @pytest.mark.parametrize("folder", ["", "a", "a/b"])
    def test_a_lock_has_one_holder_who_is_named(self, backend, folder):
        lock, other = backend.lock(folder), backend.lock(folder)
        assert lock.holder() is None
        assert lock.acquire(note="me")
        had = []
        thread = threading.Thread(target=lambda: had.append(other.acquire(patience_s=0.05)))
        thread.start()
        thread.join()
        assert had == [False]
        assert other.holder() == "me"
        assert (lock.lost_to(), other.lost_to()) == (None, None)
        lock.release()
        assert other.holder() is None
        with held(other):
            assert lock.holder() is not None

    def test_locks_of_two_folders_do_not_meet(self, backend):
        with held(backend.lock("a")), held(backend.lock("b")):
            assert backend.put_if_newer("c/d", b"", 0, len)


class Machine(RuleBasedStateMachine):
    """Any sequence of operations leaves what a dictionary would have."""

    keys = st.sampled_from(["a", "b/c", "b/d", "b/e/f", "g h/ü.json"])
    contents = st.binary(max_size=6)

    def __init__(self):
        super().__init__()
        self.expected = {}

    @rule(key=keys, content=contents, durable=st.booleans())
    def put(self, key, content, durable):
        self.backend.put(key, content, durable=durable)
        self.expected[key] = content

    @rule(key=keys, content=contents)
    def put_if_newer(self, key, content):
        newer = key not in self.expected or len(self.expected[key]) <= len(content)
        assert self.backend.put_if_newer(key, content, len(content), len) == newer
        if newer:
            self.expected[key] = content

    @rule(key=keys)
    def delete(self, key):
        self.backend.delete(key)
        self.expected.pop(key, None)

    @rule(key=keys, other=keys)
    def move(self, key, other):
        self.backend.move(key, other)
        if key in self.expected:
            self.expected[other] = self.expected.pop(key)

    @rule(prefix=st.sampled_from(["", "b", "b/", "b/e/", "g", "x"]))
    def list(self, prefix):
        found = sorted(key for key in self.expected if key.startswith(prefix))
        assert self.backend.list(prefix) == found

    @invariant()
    def what_is_there_is_what_was_put(self):
        assert self.backend.get_many(["a", "b/c", "b/d", "b/e/f", "g h/ü.json"]) == self.expected


@pytest.mark.parametrize("kind", BACKENDS)
def test_any_sequence_of_operations(kind, make):
    class Run(Machine):
        def __init__(self):
            super().__init__()
            self.backend = make(kind)

    examples = 4 if kind == "s3" else 40  # each takes a hundred requests
    run_state_machine_as_test(Run, settings=settings(max_examples=examples, stateful_step_count=20))
