"""How every kernel of the package is compiled: once per machine, then read from the disk cache.

The cache lies in ``__pycache__`` beside each file, or where that cannot be written in the user's
cache folder, or where ``NUMBA_CACHE_DIR`` says. Numba keys it by processor and by the time stamp of
the file that holds a function, and does not see that a function it calls, in another file, has
changed. `SOURCES` closes that gap: a digest of all files with compiled code, which entry points
hold in their closure, and a closure's values are part of the key.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numba.core.runtime
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., Any])

# No fast math: the order of additions is then fixed by the source, on every call.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
_IMPORTED = b"from qhn.core.simd"


def _digest() -> str:
    """Of every file of core that has compiled code: those in this folder and all that import it."""
    here = Path(__file__).parent
    texts = {path: path.read_bytes() for path in sorted(here.parent.rglob("*.py"))}
    used = (text for path, text in texts.items() if path.parent == here or _IMPORTED in text)
    return sha256(b"".join(used)).hexdigest()


SOURCES = _digest()


def inlined(function: F) -> F:
    """A building block, compiled into its callers, where its vectors stay in registers."""
    return cast(F, numba.njit(function, forceinline=True, **_OPTIONS))


def kernel(function: F) -> F:
    """A pass over the state, called by other compiled code only."""
    return cast(F, numba.njit(function, **_OPTIONS))


def entry(function: F) -> F:
    """An entry point from Python, cached on disk. It must hold `SOURCES` in its closure."""
    dispatcher = numba.njit(function, **_OPTIONS)
    light_cache: Any = _LightCache
    # Where no folder can be written, every process compiles for itself.
    with contextlib.suppress(RuntimeError):
        dispatcher._cache = light_cache(function)
    return cast(F, dispatcher)


class _LightCache(FunctionCache):
    """A cache that does not load Numba's whole library of operations before it loads a function.

    That takes 0.3 s, and only compiling needs it, which loads it when it comes to that: what is
    in the cache is machine code, and needs no more than Numba's memory management.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        runtime: Any = numba.core.runtime
        runtime.rtsys.initialize(target_context)
        guard: Any = self._guard_against_spurious_io_errors
        load: Any = self._load_overload
        with guard():
            return load(sig, target_context)
