"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qhn.sweeps.groups import Estimate, estimate


def duration(seconds: float) -> str:
    """``75`` is ``1:15``, ``4000`` is ``1:06:40``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def size(n_bytes: float) -> str:
    """Bytes with a binary unit: ``1536`` is ``1.5 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} TiB"


def spread(value: Estimate) -> str:
    """Mean and standard deviation over seeds: ``0.912 ± 0.034``."""
    if math.isnan(value.deviation):
        return f"{value.mean:.3f}"
    return f"{value.mean:.3f} ± {value.deviation:.3f}"


def plus_minus(values: Sequence[float]) -> str:
    """`spread` of values; nothing for no values."""
    return spread(estimate(values)) if values else ""
