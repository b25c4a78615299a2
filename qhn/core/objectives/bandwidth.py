"""The bandwidth h of the Gaussian kernel: a number, or a rule in the number of qubits."""

from __future__ import annotations

import math
from typing import Literal, get_args

from qhn.core.errors import InvalidValueError

BandwidthRule = Literal["n/4", "sqrt(n)", "median"]
RULES: tuple[BandwidthRule, ...] = get_args(BandwidthRule)


def bandwidth(h: float | str, n_qubits: int) -> float:
    """The bandwidth h of ``k(σ, σ') = exp(−‖σ − σ'‖² / (2h²))`` as a number.

    The rule ``"median"`` is the median heuristic for uniform strings. Two independent uniform
    strings differ in a binomially distributed number of bits, and ‖σ − σ'‖² is this number. Its
    median is N/2 (for odd N, the mean of the two medians), so h = sqrt(N/2).

    Args:
        h: a positive number, which is returned as it is, or one of the rules ``"n/4"``,
            ``"sqrt(n)"`` and ``"median"``.
        n_qubits: N.

    Returns:
        h > 0, in units of the Euclidean distance between bit strings.

    Raises:
        InvalidValueError: if h is neither a positive finite number nor one of the rules, or if
            N is below 1.

    Example:
        >>> bandwidth("n/4", 14)
        3.5
    """
    if n_qubits < 1:
        raise InvalidValueError(f"`n_qubits >= 1` must hold, but got n_qubits={n_qubits}")
    if isinstance(h, str):
        # In units in which two strings that differ in k bits have the distance √k.
        rules = {"n/4": n_qubits / 4, "sqrt(n)": math.sqrt(n_qubits)}
        rules["median"] = math.sqrt(n_qubits / 2)
        if h not in rules:
            raise InvalidValueError(
                f"h must be a positive number or one of {', '.join(RULES)}, but got {h!r}"
            )
        return rules[h]
    if not (math.isfinite(h) and h > 0):
        raise InvalidValueError(f"`h > 0` must hold and h be finite, but got h={h}")
    return float(h)
