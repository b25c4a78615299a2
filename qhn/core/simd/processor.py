"""The name of the processor that computes the results.

Results are reproducible bit for bit on one kind of processor. Another kind may have other vector
instructions, for example no fused multiply-add, and then results are rounded differently. For this
reason each result states on which processor it was computed.
"""

from __future__ import annotations

import os
from functools import cache

# A processor has hundreds of features. These are the ones that decide how doubles are added up.
_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "neon", "sve")


@cache
def processor_text() -> str:
    """The processor's name and its vector features, such as ``znver4 avx avx2 fma sse4.2``.

    If NUMBA_CPU_NAME names another one to compile for, this is said instead of the features, such
    as ``znver4 with code for generic``.
    """
    from llvmlite import binding

    if target := os.environ.get("NUMBA_CPU_NAME"):
        return f"{binding.get_host_cpu_name()} with code for {target}"
    there = binding.get_host_cpu_features()
    found = [name for name in _FEATURES if there.get(name, False)]
    return " ".join([binding.get_host_cpu_name(), *found])
