"""Opening a store by its address."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from qhn.core.errors import StoreError
from qhn.sweeps.store.folder import FolderBackend
from qhn.sweeps.store.memory import MemoryBackend
from qhn.sweeps.store.store import Store

#: The store of whoever names none.
DEFAULT_STORE = "~/.qhn"

# Stores in memory by name, so that each of them can be opened more than once.
_memories: dict[str, MemoryBackend] = {}


def default_store() -> str:
    """The store that is meant where none is named: that of ``QHN_STORE``, else `DEFAULT_STORE`."""
    return os.environ.get("QHN_STORE") or DEFAULT_STORE


def open_store(uri: str) -> Store:
    """Open the store at a path or a ``file://`` address. Its folder is made by the first write.

    ``memory://NAME`` is a store in the memory of this process, for tests. It has the same content
    whenever this process opens it by the same name. Other processes do not see it.

    Raises:
        NewerFormatError: if a newer version made the store.
        StoreError: if the address is of another kind, or is the path of a file.
    """
    if not uri.strip():
        raise StoreError(f"a store must be named, but got {uri!r}; leave it out for the default")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise StoreError(
            f"a store must be a folder or a file:// address, but {uri!r} is neither ({error})"
        ) from None
    if parts.scheme == "memory":
        name = uri.removeprefix("memory://")
        return Store(_memories.setdefault(name, MemoryBackend(name)))
    # A scheme of one letter is taken for a part of a path, as in a Windows path.
    if len(parts.scheme) > 1 and parts.scheme != "file":
        raise StoreError(
            f"a store must be a folder or a file:// address, but got {uri!r}; "
            "use a folder that all machines of the sweep can reach"
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
