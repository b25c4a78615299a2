"""How every kernel of the package is compiled: once per machine, then read from the disk cache.

Numba keys its cache by the time stamp of the file that holds a function, and does not see that
a function it calls, in another file, has changed. `SOURCES` closes that gap: a digest of all
files with compiled code, which the outermost functions hold in their closure, and a closure's
values are part of the key.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

# No fast math as a rule: the order of additions is then fixed by the source, on every call.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}


def _digest() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


SOURCES = _digest()


def inlined(function: F) -> F:
    """A building block, compiled into its callers, where its vectors stay in registers."""
    return cast(F, numba.njit(function, forceinline=True, **_OPTIONS))


def kernel(function: F) -> F:
    """A pass over the state, called by other compiled code only."""
    return cast(F, numba.njit(function, **_OPTIONS))


def entry(function: F) -> F:
    """An entry point from Python, cached on disk. It must hold `SOURCES` in its closure."""
    return cast(F, numba.njit(function, cache=True, **_OPTIONS))
