"""Opening a store by its address."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from qhn.core.data.point_sets import add_place
from qhn.core.errors import StoreError
from qhn.sweeps.store.folder import FolderBackend
from qhn.sweeps.store.memory import MemoryBackend
from qhn.sweeps.store.object_store import ObjectBackend
from qhn.sweeps.store.store import Store

#: The store of whoever names none.
DEFAULT_STORE = "~/.qhn"

# Stores in memory by name, so that each of them can be opened more than once.
_memories: dict[str, MemoryBackend] = {}


def default_store() -> str:
    """The store that is meant where none is named: that of ``QHN_STORE``, else `DEFAULT_STORE`."""
    return os.environ.get("QHN_STORE") or DEFAULT_STORE


def open_store(uri: str) -> Store:
    """Open the store at a path, or at a ``file://`` or ``s3://`` address.

    From then on this process finds points of data sets in it (`qhn.core.data.point_sets`).

    A folder is made by the first write. A bucket must be there. ``memory://NAME`` is a store in the
    memory of this process, for tests. It has the same content whenever this process opens it by the
    same name. Other processes do not see it.

    Raises:
        NewerFormatError: if a newer version made the store.
        StoreError: if the address is of another kind, is the path of a file, or cannot be reached.
    """
    store = _opened(uri)
    add_place(store.shown, store.points)
    return store


def _opened(uri: str) -> Store:
    if not uri.strip():
        raise StoreError(f"a store must be named, but got {uri!r}; leave it out for the default")
    scheme, colon, _ = uri.partition("://")
    if colon and scheme == "s3":
        return Store(_s3_backend(uri))
    try:
        parts = urlsplit(uri)
    except ValueError:
        # The error may quote the address with its password.
        raise StoreError(
            "a store must be a folder, or a file:// or s3:// address, but got "
            f"{without_password(uri)!r}, which is no address; name a folder, or s3://BUCKET/PREFIX"
        ) from None
    if parts.scheme == "memory":
        name = uri.removeprefix("memory://")
        return Store(_memories.setdefault(name, MemoryBackend(name)))
    # A scheme of one letter is taken for a part of a path, as in a Windows path.
    if len(parts.scheme) > 1 and parts.scheme != "file":
        raise StoreError(
            "a store must be a folder, or a file:// or s3:// address, but got "
            f"{without_password(uri)!r}; use a folder that all machines of the sweep can reach, or "
            "a bucket of a server that speaks the protocol of S3"
        )
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri)
    try:
        path = path.expanduser().absolute()
        if path.exists() and not path.is_dir():
            raise StoreError(f"a store must be a folder, but {path} is a file; name another path")
    except (OSError, RuntimeError) as error:
        raise StoreError(
            f"a store must be a folder that can be opened, but {path} is not: {error}"
        ) from None
    return Store(FolderBackend(path))


def _s3_backend(uri: str) -> ObjectBackend:
    try:
        from qhn.sweeps.store.s3 import S3Objects, parse_address
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "botocore":
            raise
        raise StoreError(
            "a store at s3:// needs the package botocore, but it is not installed; install it "
            "with: pip install 'qhn[cluster]'"
        ) from None
    bucket, prefix = parse_address(uri)
    return ObjectBackend(S3Objects(bucket, prefix), f"s3://{bucket}/{prefix}".rstrip("/"))


def without_password(uri: str) -> str:
    """An address without a user name and a password in it, for messages."""
    before, slashes, rest = uri.partition("://")
    place, slash, path = rest.partition("/")
    return f"{before}{slashes}{place.rpartition('@')[2]}{slash}{path}"
