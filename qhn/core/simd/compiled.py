"""How every kernel of the package is compiled: once per machine, then read from the disk cache.

The cache is in ``__pycache__`` beside each source file, or in the user's cache folder if that one
cannot be written, or in the folder that ``NUMBA_CACHE_DIR`` names. Numba's cache key contains the
processor and the time stamp of the file in which a function is defined. It does not notice when
another file changes whose functions are called. `SOURCES` closes this gap: it is a digest of all
files with compiled code. Every entry point holds it in its closure, and the values in a closure are
part of Numba's key.

If many processes start at once on a new machine, each function is compiled by one of them, and the
others wait for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numba.core.runtime
from filelock import FileLock, Timeout
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., Any])

# No fast math: it would let the compiler reorder additions, and results would no longer be the same
# bit for bit. The NumPy error model divides by 0 without a check in every loop. Without Python's
# global lock, other threads of the process go on while a kernel runs.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
_IMPORTED = b"from qhn.core.simd"
# How long to wait for another process that compiles the same function. That takes some seconds, and
# more on a busy machine. After this time the function is compiled here as well, which does no harm.
_TURN_S = 120.0


def _digest() -> str:
    """SHA-256 of all files with compiled code: those of this folder and all that import them."""
    here = Path(__file__).parent
    texts = {path: path.read_bytes() for path in sorted(here.parent.rglob("*.py"))}
    used = (text for path, text in texts.items() if path.parent == here or _IMPORTED in text)
    return sha256(b"".join(used)).hexdigest()


SOURCES = _digest()


def inlined(function: F) -> F:
    """Compile a building block into each of its callers, so that its vectors stay in registers."""
    return cast(F, numba.njit(function, forceinline=True, **_OPTIONS))


def kernel(function: F) -> F:
    """Compile a pass over an array that only other compiled code calls."""
    return cast(F, numba.njit(function, **_OPTIONS))


def entry(function: F) -> F:
    """Compile a function that Python calls, and cache it on disk.

    The function must hold `SOURCES` in its closure; see the description of this module.
    """
    dispatcher = numba.njit(function, **_OPTIONS)
    # Numba's classes have no type hints; as `Any` they pass the strict type checker.
    light_cache: Any = _LightCache
    # The assignment is what `njit(cache=True)` does with Numba's own kind of cache. Numba raises
    # RuntimeError where it can write to no cache folder; each process then compiles for itself.
    with contextlib.suppress(RuntimeError):
        dispatcher._cache = light_cache(function)
    return cast(F, dispatcher)


class _LightCache(FunctionCache):
    """A cache that loads compiled functions without importing Numba's whole library of operations.

    That import takes 0.3 s. Only the compiler needs it, and imports it by itself if a function is
    not in the cache. A cached function is machine code, which needs Numba's memory management and
    nothing else.

    Processes that need the same function at the same time take turns, so that the first one
    compiles it, and the others find it in the cache. Numba alone would compile it in each of them.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        whole: Any = super()  # Numba's classes have no type hints
        whole.__init__(function)
        place: Any = self
        name = f"{place._impl.filename_base}.lock"
        self._turn = FileLock(Path(place._cache_path, name), timeout=_TURN_S)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # The same as the method that it replaces, but for its first line: that one calls
        # `target_context.refresh()`, which registers (and so imports) every operation of Numba.
        runtime: Any = numba.core.runtime
        runtime.rtsys.initialize(target_context)
        guard: Any = self._guard_against_spurious_io_errors
        load: Any = self._load_overload
        with guard():
            found = load(sig, target_context)
            if found is None and self._take_turn():
                # Whoever had the turn before may have compiled it.
                found = load(sig, target_context)
                if found is not None:
                    self._turn.release()
            return found

    def save_overload(self, sig: Any, data: Any) -> None:
        # Numba calls this right after it has compiled what `load_overload` did not find. If it
        # fails to compile, the turn ends with the process.
        whole: Any = super()
        try:
            whole.save_overload(sig, data)
        finally:
            self._turn.release()

    def _take_turn(self) -> bool:
        """Wait until no other process compiles this function. False if that cannot be told."""
        locator: Any = self
        try:
            locator._impl.locator.ensure_cache_path()
            self._turn.acquire()
        # Some shared folders have no locks.
        except (Timeout, OSError, NotImplementedError):
            return False
        return True
