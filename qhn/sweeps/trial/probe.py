"""Looks at a machine from a process on it: versions, processors, memory, disks and the store.

The driver of a sweep sends these functions by value to every machine of a Ray, since a machine may
have no qhn, or another one. So this module imports the standard library alone, and everything else
inside of functions that expect it to be missing. Its answers are plain data: the classes of its
dictionaries are only for those who read the code, and are not sent along.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
import time
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal, TypedDict

#: How long a machine may take to read and write in the store, in seconds.
STORE_PATIENCE_S = 10.0
#: The packages whose versions must agree, besides qhn.
PACKAGES = ("ray", "numpy", "numba")
# Less than this may fit into what a full disk keeps for other users.
_TRIED_BYTES = 2**16

StoreState = Literal["same", "other", "failed", "slow", "unknown"]


class Question(TypedDict):
    """What is asked of a machine.

    Attributes:
        node: the name under which the machine writes into the store.
        store: the address of the store.
        folder: the folder of the store in which the driver and all machines write.
        secret: what the driver has written there.
        qhn: the version of the driver's qhn. A machine that has another one is not asked for more.
        temporary: the folder for Ray's files; None if Ray itself knows it.
    """

    node: str
    store: str
    folder: str
    secret: str
    qhn: str
    temporary: str | None


class Disk(TypedDict):
    """A folder on a disk.

    Attributes:
        folder: its path.
        free: the bytes that are free.
        why: why nothing can be written into it; empty if something can.
    """

    folder: str
    free: int
    why: str


class StoreSeen(TypedDict):
    """How a machine sees the store.

    Attributes:
        state: ``same`` if it has read what the driver wrote, and has written something itself;
            ``other`` if it does not see what the driver wrote; ``failed`` if reading or writing
            failed; ``slow`` if it took too long; ``unknown`` if nobody has looked.
        why: what has failed.
        disk: the disk of the store; None if the store is no folder.
    """

    state: StoreState
    why: str
    disk: Disk | None


class Answer(TypedDict):
    """What a machine has answered.

    Attributes:
        versions: the version of Python without its last number, and of each package, by its name;
            None if it is not installed.
        code: a digest of the source code of qhn; empty without qhn.
        trouble: why qhn cannot be imported; empty if it can.
        cpus: how many processors the process may use.
        memory: how many bytes trials may take on the machine; None if qhn is not there to say it.
        temporary: the disk of the folder for Ray's files.
        store: how it sees the store.
        begin: the machine's clock at the beginning, in seconds since 1970.
        end: the machine's clock at the end.
    """

    versions: dict[str, str | None]
    code: str
    trouble: str
    cpus: int
    memory: int | None
    temporary: Disk
    store: StoreSeen
    begin: float
    end: float


def clock() -> float:
    """The machine's clock, in seconds since 1970."""
    return time.time()


def probe(question: Question) -> Answer:
    """Look at this machine. Nothing of what can be wrong with it is raised as an error."""
    begin = clock()
    versions, code, trouble = packages()
    # Another qhn may have another store. What it would find would only hide what is really wrong.
    same = versions["qhn"] == question["qhn"] and not trouble
    store = _store_in_time(question) if same else _seen("unknown")
    bound = hasattr(os, "sched_getaffinity")
    return {
        "versions": versions,
        "code": code,
        "trouble": trouble,
        "cpus": len(os.sched_getaffinity(0)) if bound else os.cpu_count() or 1,
        "memory": _memory() if same else None,
        "temporary": _disk(question["temporary"] or _session_folder()),
        "store": store,
        "begin": begin,
        "end": clock(),
    }


def packages() -> tuple[dict[str, str | None], str, str]:
    """The versions of packages, the digest of qhn's code, and why qhn cannot be imported."""
    versions: dict[str, str | None] = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    try:
        found: Any = import_module("qhn.version")
        versions["qhn"] = str(found.VERSION)
        return versions, _digest(Path(found.__file__).parent), ""
    except Exception as error:  # noqa: BLE001 - whatever is wrong there, people must hear of it
        versions["qhn"] = None
        return versions, "", _words(error)


def _digest(package: Path) -> str:
    """A digest of all source files of a package."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _memory() -> int | None:
    try:
        from qhn.sweeps.planning.machine import available_bytes

        return available_bytes()
    except Exception:  # noqa: BLE001 - it is looked at elsewhere why packages cannot be imported
        return None


def _session_folder() -> str:
    """The folder of Ray's files on this machine."""
    # Ray has no public function that tells it.
    worker: Any = import_module("ray._private.worker")
    return str(worker.global_worker.node.get_session_dir_path())


def _disk(folder: str) -> Disk:
    """How much is free in a folder, or in the first one above it that exists."""
    place = Path(folder)
    try:
        while not place.is_dir() and place != place.parent:
            place = place.parent
        free = shutil.disk_usage(place).free
        with TemporaryFile(dir=place) as file:
            file.write(bytes(_TRIED_BYTES))
            file.flush()
        return {"folder": folder, "free": free, "why": ""}
    except OSError as error:
        return {"folder": folder, "free": 0, "why": error.strerror or str(error)}


def _store_in_time(question: Question) -> StoreSeen:
    """Look at the store. A file system of another machine may never answer."""
    found = [_seen("slow")]

    def look() -> None:
        found.append(_store(question))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(STORE_PATIENCE_S)
    return found[-1]


def _store(question: Question) -> StoreSeen:
    disk = None
    try:
        from qhn.sweeps.store import open_store

        backend = open_store(question["store"]).backend
        root = getattr(backend, "root", None)
        disk = None if root is None else _disk(str(root))
        if backend.get(f"{question['folder']}/driver") != question["secret"].encode():
            return _seen("other", "", disk)
        content = f"{question['secret']} {question['node']}".encode()
        backend.put(f"{question['folder']}/{question['node']}", content, durable=False)
    except Exception as error:  # noqa: BLE001 - whatever a store's library raises
        return _seen("failed", _words(error), disk)
    return _seen("same", "", disk)


def _seen(state: StoreState, why: str = "", disk: Disk | None = None) -> StoreSeen:
    return {"state": state, "why": why, "disk": disk}


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    # The errors of qhn say what to do. Others are better known by their class.
    ours = type(error).__module__.startswith("qhn.")
    return text if ours else f"{type(error).__name__}: {text}"
