"""The natural logarithm of eight doubles at once, to about one unit in the last place.

A double x is split into x = 2^e · m with m in [√½, √2), so ln x = e ln 2 + ln m. With
s = (m−1)/(m+1), ln m = 2 artanh s = 2 (s + s³/3 + s⁵/5 + …). Since |s| < 0.172, eleven terms after
the first reach double precision.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from llvmlite import ir

from qhn.core.simd.compiled import inlined
from qhn.core.simd.vectors import (
    LLVM_VECTOR,
    add,
    divide,
    maximum,
    multiply,
    multiply_add,
    operation,
    spread,
    subtract,
    vector8,
)

SMALLEST = 2.0**-1022  # the smallest normal double, which takes the place of zero
# ln 2 is the sum of two parts. The first has only 32 significant bits, so that its product with
# the exponent of a double (11 bits) is exact.
_LN2_HIGH = math.floor(math.log(2.0) * 2.0**32) / 2.0**32
_LN2_LOW = 1.9082149292705877e-10
_SERIES = tuple(1.0 / (2 * k + 1) for k in range(1, 12))
# The 64 bits of a double, read as an integer: bits 52 to 62 are its exponent, the lower ones its
# mantissa.
_SQRT_HALF_BITS = struct.unpack("<q", struct.pack("<d", math.sqrt(0.5)))[0]
_INTEGERS = ir.VectorType(ir.IntType(64), 8)


def _repeated(value: int) -> Any:
    """A constant vector of eight equal 64-bit integers."""
    return ir.Constant(_INTEGERS, [ir.Constant(ir.IntType(64), value)] * 8)


def _exponent_bits(builder: Any, bits: Any) -> Any:
    """Floor of log₂(x / √½) as an integer, from the bits of positive doubles x."""
    # The bits of √½ have the exponent −1 and some mantissa. Subtracting them adds 1 to the exponent
    # of x, and borrows this 1 again if the mantissa of x is smaller than that of √½.
    return builder.ashr(builder.sub(bits, _repeated(_SQRT_HALF_BITS)), _repeated(52))


@operation
def exponent(typing: Any, vector: Any) -> Any:
    """The exponent e in x = 2^e · m with m in [√½, √2), as a double; x is positive and normal."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = _exponent_bits(builder, builder.bitcast(args[0], _INTEGERS))
        return builder.sitofp(e, LLVM_VECTOR)

    return vector8(vector8), emit


@operation
def mantissa(typing: Any, vector: Any) -> Any:
    """The factor m in x = 2^e · m with m in [√½, √2); x is positive and normal."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], _INTEGERS)
        # To subtract e from the exponent's bits is to divide x by 2^e.
        scale = builder.shl(_exponent_bits(builder, bits), _repeated(52))
        return builder.bitcast(builder.sub(bits, scale), LLVM_VECTOR)

    return vector8(vector8), emit


@inlined
def logarithm(x: Any) -> Any:
    """ln x of eight doubles x >= 0. ln 0 is taken to be ln 2^−1022 = −708.4, so it is finite."""
    x = maximum(x, spread(SMALLEST))
    e, m = exponent(x), mantissa(x)
    one = spread(1.0)
    s = divide(subtract(m, one), add(m, one))
    z = multiply(s, s)
    # Horner's scheme begins with the smallest term, so that no term is lost in the rounding of
    # larger ones.
    series = spread(_SERIES[10])
    series = multiply_add(series, z, spread(_SERIES[9]))
    series = multiply_add(series, z, spread(_SERIES[8]))
    series = multiply_add(series, z, spread(_SERIES[7]))
    series = multiply_add(series, z, spread(_SERIES[6]))
    series = multiply_add(series, z, spread(_SERIES[5]))
    series = multiply_add(series, z, spread(_SERIES[4]))
    series = multiply_add(series, z, spread(_SERIES[3]))
    series = multiply_add(series, z, spread(_SERIES[2]))
    series = multiply_add(series, z, spread(_SERIES[1]))
    series = multiply_add(series, z, spread(_SERIES[0]))
    twice = add(s, s)
    # The large part of e · ln 2 is exact and is added last, after the sum of all small parts: the
    # result is rounded once at its own size.
    small = multiply_add(e, spread(_LN2_LOW), multiply(multiply(twice, z), series))
    return multiply_add(e, spread(_LN2_HIGH), add(twice, small))
