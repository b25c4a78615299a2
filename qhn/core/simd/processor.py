"""Which processor the numbers come from.

Results are reproducible bit for bit on one kind of processor: another one may have other vector
instructions, with which the compiler rounds in another order. So each result says what it was
computed on.
"""

from __future__ import annotations

from functools import cache

# Of the hundreds of features that a processor has, those that decide how doubles are added up.
_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "neon", "sve")


@cache
def processor_text() -> str:
    """The processor's name and its vector features, such as ``znver4 avx avx2 fma sse4.2``."""
    from llvmlite import binding

    there = binding.get_host_cpu_features()
    found = [name for name in _FEATURES if there.get(name, False)]
    return " ".join([binding.get_host_cpu_name(), *found])
