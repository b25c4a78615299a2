"""What a store on disk owes besides the contract: other processes, kills, modes, full disks."""

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import threading

import pytest

from qhn.core.errors import DamagedError, StoreError
from qhn.sweeps.store.backend import held
from qhn.sweeps.store.folder import FolderBackend

ROOT_READS_ALL = pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")


@pytest.fixture
def backend(tmp_path):
    return FolderBackend(tmp_path / "store")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def start(backend):
    """Runs code in other processes on the same folder."""
    started = []
    head = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from qhn.sweeps.store.folder import FolderBackend\n"
        "backend = FolderBackend(Path(sys.argv[1]))\n"
    )

    def run(code):
        command = [sys.executable, "-c", head + code, str(backend.root)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_a_writer_killed_at_any_moment_leaves_a_whole_content(backend, start):
    backend.put("a/b", b"0" * 300_000)
    for pause in range(4):
        writer = start(
            "for number in range(10**9):\n"
            "    backend.put('a/b', b'%d' % (number % 10) * 300_000, durable=False)\n"
            "    if number == 3: print('writing', flush=True)\n",
        )
        assert writer.stdout.readline() == "writing\n"
        for _ in range(pause * 3):
            content = backend.get("a/b")
            assert len(content) == 300_000
            assert len(set(content)) == 1
        writer.kill()
        writer.wait()
        content = backend.get("a/b")
        assert (len(content), len(set(content))) == (300_000, 1)
    backend.put("a/b", b"the end")
    assert names(backend.root / "a") == ["b"]


def test_processes_at_once_never_go_back(backend, start):
    code = (
        "sys.stdin.readline()\n"
        "for number in range({first}, 90, 3):\n"
        "    backend.put_if_newer('a/b', b'%d' % number, number, int)\n"
    )
    writers = [start(code.format(first=first)) for first in range(3)]
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    seen = []
    while any(writer.poll() is None for writer in writers):
        seen.append(int(backend.get("a/b") or b"-1"))
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert seen == sorted(seen)
    assert backend.get("a/b") == b"89"


def test_a_lock_keeps_other_processes_out_and_dies_with_its_holder(backend, start):
    holder = start(
        "lock = backend.lock('a')\n"
        "lock.acquire(note=f'process {os.getpid()}')\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n",
    )
    assert holder.stdout.readline() == "held\n"
    lock = backend.lock("a")
    assert not lock.acquire(patience_s=0.05)
    assert lock.holder() == f"process {holder.pid}"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert lock.holder() is None
    assert lock.acquire(patience_s=0.0)
    lock.release()


def test_looking_for_a_holder_takes_nothing_and_makes_nothing(backend):
    lock = backend.lock("a")
    assert lock.holder() is None
    assert not backend.root.exists()
    with held(lock):
        pass
    path = backend.root / "a" / "lock"
    path.chmod(0o400)
    before = path.stat()
    assert lock.holder() is None
    after = path.stat()
    assert (after.st_mtime_ns, after.st_mode) == (before.st_mtime_ns, before.st_mode)


def test_two_who_look_do_not_take_each_other_for_the_holder(backend, start):
    with held(backend.lock("a")):
        pass
    looking = start(
        "import fcntl\n"
        "file = open(backend.root / 'a' / 'lock')\n"
        "fcntl.flock(file, fcntl.LOCK_SH)\n"
        "print('looking', flush=True)\n"
        "sys.stdin.readline()\n",
    )
    assert looking.stdout.readline() == "looking\n"
    assert backend.lock("a").holder() is None


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSPC, errno.ENOSYS])
def test_a_lock_that_cannot_be_had_is_a_store_error_with_the_reason(backend, monkeypatch, number):
    def refuse(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(StoreError, match=f"locking .* failed: {os.strerror(number)}"):
        backend.lock("a").acquire(patience_s=0.0)
    with pytest.raises(StoreError, match=f"locking .* failed: {os.strerror(number)}"):
        backend.put_if_newer("a/b", b"", 0, len)


def test_a_lock_is_released_where_its_file_is_gone(backend):
    lock = backend.lock("a")
    lock.acquire(note="me")
    (backend.root / "a" / "lock").unlink()
    lock.release()
    assert backend.lock("a").acquire(patience_s=0.0)


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(backend, monkeypatch):
    backend.put("a/b", b"the first")

    def no_space(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StoreError, match="No space left on device; free space"):
        backend.put("a/b", b"the second")
    assert backend.get("a/b") == b"the first"
    assert names(backend.root / "a") == ["b"]
    backend.put("a/b", b"the third", durable=False)
    assert backend.get("a/b") == b"the third"


def test_writing_below_a_file_is_a_store_error(tmp_path):
    (tmp_path / "file").write_text("")
    backend = FolderBackend(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match="must be writable"):
        backend.put("a", b"")
    with pytest.raises(StoreError, match="must be writable, but locking"):
        backend.lock("a").acquire()
    with pytest.raises(StoreError, match="must be readable"):
        backend.get("a")
    assert backend.list() == []


def test_a_folder_in_the_place_of_a_file_is_damage(backend):
    (backend.root / "a" / "b").mkdir(parents=True)
    backend.put("a/c", b"1")
    for use in (lambda: backend.get("a/b"), lambda: backend.put("a/b", b"")):
        with pytest.raises(DamagedError, match="a/b must be readable, but a folder is in its"):
            use()
    found = backend.get_many(["a/b", "a/c"])
    assert found["a/c"] == b"1"
    assert found["a/b"].key == "a/b"
    backend.move("a/b", "a/d")
    backend.put("a/b", b"2")
    assert (backend.root / "a" / "d").is_dir()


@ROOT_READS_ALL
def test_a_file_that_may_not_be_read_is_damage(backend):
    backend.put("a/b", b"1")
    (backend.root / "a" / "b").chmod(0)
    with pytest.raises(DamagedError, match="Permission denied"):
        backend.get("a/b")


def test_leftovers_of_dead_writers_of_this_machine_are_cleared_by_the_next(backend):
    dead = subprocess.Popen(["true"])
    dead.wait()
    folder = backend.root / "sweeps" / "x"
    folder.mkdir(parents=True)
    here = socket.gethostname()
    stay = [f"a.{here}.{os.getpid()}.tmp", "a.elsewhere.1.tmp", "a.tmp", f"a.{here}.x.tmp"]
    # Version f0fdd86 named them without a number.
    go = [f"progress.json.{here}.{dead.pid}.tmp", f"b.7.{here}.{dead.pid}.tmp"]
    for name in stay + go:
        (folder / name).write_bytes(b"half")
    assert backend.list() == []
    assert len(names(folder)) == len(stay + go)
    backend.put("sweeps/x/sweep.yaml", b"")
    assert names(folder) == sorted([*stay, "sweep.yaml"])


def modes(folder):
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in [folder, *folder.rglob("*")]
    }


def test_a_new_store_is_its_user_s_alone(tmp_path):
    backend = FolderBackend(tmp_path / "new" / "store")
    with held(backend.lock("a/b")):
        backend.put("a/b/c", b"")
    found = modes(backend.root)
    assert found == {".": 0o700, "a": 0o700, "a/b": 0o700, "a/b/c": 0o600, "a/b/lock": 0o600}


def test_a_store_that_was_there_keeps_its_modes(tmp_path):
    """It may be shared with a group: what is added follows the umask, as ever."""
    before = os.umask(0o027)
    try:
        backend = FolderBackend(tmp_path)
        tmp_path.chmod(0o775)
        with held(backend.lock("a")):
            backend.put("a/b", b"")
    finally:
        os.umask(before)
    assert modes(tmp_path) == {".": 0o775, "a": 0o750, "a/b": 0o640, "a/lock": 0o640}


def test_links_to_folders_are_followed_and_each_once(backend, tmp_path):
    backend.put("a/b", b"")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c").write_text("")
    (backend.root / "linked").symlink_to(elsewhere)
    (backend.root / "a" / "circle").symlink_to(backend.root)
    assert backend.list() == ["a/b", "linked/c"]


def test_listing_while_another_deletes(backend):
    """What vanishes between two looks is not there, and no error."""
    done = threading.Event()

    def churn():
        for number in range(150):
            backend.put(f"x/{number}/y", b"", durable=False)
            backend.delete(f"x/{number}/y")
            (backend.root / "x" / str(number)).rmdir()
        done.set()

    backend.put("a", b"")
    thread = threading.Thread(target=churn)
    thread.start()
    while not done.is_set():
        assert backend.list()[0] == "a"
    thread.join()
