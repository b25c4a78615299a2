"""Vectors of eight doubles as values in compiled code.

An autovectoriser gives up on passes that touch eight places of one array at a stride it does not
know. These few operations are LLVM vector instructions instead, which LLVM maps to what the
processor has: one 512-bit register, two of 256 bits or four of 128.

Bits of an index that fall inside a vector are called element bits: bits 0, 1 and 2. The functions
here are for compiled code only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model
from numba.np.arrayobj import make_array

WIDTH = 8
LLVM_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_ELEMENT = ir.IntType(32)


class Vector8(types.Type):
    """Eight doubles in a register."""

    def __init__(self) -> None:
        super().__init__(name="Vector8")


@register_model(Vector8)
class _Vector8Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector8) -> None:
        super().__init__(manager, kind, LLVM_VECTOR)  # type: ignore[no-untyped-call]


vector8 = Vector8()


def operation(define: Callable[..., Any]) -> Any:
    """An operation of compiled code, whose Python signature has the typing context in front."""
    return intrinsic(define)


def _address(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
    """Where vector starts in an array of doubles, given (array, index)."""
    array_of: Any = make_array
    array = array_of(signature.args[0])(context, builder, args[0])
    start = builder.gep(array.data, [args[1]])
    return builder.bitcast(start, LLVM_VECTOR.as_pointer())


@operation
def load(typing: Any, array: Any, index: Any) -> Any:
    """The eight doubles that start at ``array[index]``; no bounds are checked."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # Arrays from outside may begin at any double: more alignment is not promised.
        return builder.load(_address(context, builder, signature, args), align=8)

    return vector8(array, types.intp), emit


@operation
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write eight doubles from ``array[index]`` on; no bounds are checked."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, signature, args), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector8), emit


def _spread(builder: Any, scalar: Any) -> Any:
    elements = ir.Constant(LLVM_VECTOR, ir.Undefined)
    first = builder.insert_element(elements, scalar, ir.Constant(_ELEMENT, 0))
    return builder.shuffle_vector(first, elements, _elements([0] * WIDTH))


def _elements(order: Sequence[int]) -> Any:
    return ir.Constant(
        ir.VectorType(_ELEMENT, WIDTH), [ir.Constant(_ELEMENT, element) for element in order]
    )


@operation
def spread(typing: Any, scalar: Any) -> Any:
    """The same number in every element."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _spread(builder, args[0])

    return vector8(types.float64), emit


def _arithmetic(doc: str, n_args: int, emit: Callable[..., Any]) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *args)

    if n_args == 2:

        def two(typing: Any, a: Any, b: Any) -> Any:
            return vector8(vector8, vector8), generate

        two.__doc__ = doc
        return operation(two)

    def three(typing: Any, a: Any, b: Any, c: Any) -> Any:
        return vector8(vector8, vector8, vector8), generate

    three.__doc__ = doc
    return operation(three)


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    # fmuladd, not fma: where a processor has no fused form, two instructions beat a library call.
    kind = ir.FunctionType(LLVM_VECTOR, [LLVM_VECTOR] * 3)
    declare: Any = cgutils.get_or_insert_function
    function = declare(builder.module, kind, "llvm.fmuladd.v8f64")
    return builder.call(function, [a, b, c])


add = _arithmetic("a + b", 2, lambda builder, a, b: builder.fadd(a, b))
subtract = _arithmetic("a − b", 2, lambda builder, a, b: builder.fsub(a, b))
divide = _arithmetic("a / b", 2, lambda builder, a, b: builder.fdiv(a, b))
# An ordered comparison with NaN is false: where a is NaN, this is b.
maximum = _arithmetic(
    "The greater of a and b",
    2,
    lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b),
)
multiply = _arithmetic("a · b", 2, lambda builder, a, b: builder.fmul(a, b))
multiply_add = _arithmetic("a · b + c", 3, _fused)
multiply_subtract = _arithmetic(
    "c − a · b", 3, lambda builder, a, b, c: _fused(builder, builder.fneg(a), b, c)
)


def _shuffle(doc: str, source: Callable[[int], int]) -> Any:
    """Vector whose element i is element source(i) of the argument."""
    order = _elements([source(element) for element in range(WIDTH)])

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.shuffle_vector(args[0], args[0], order)

    def shuffle(typing: Any, vector: Any) -> Any:
        return vector8(vector8), emit

    shuffle.__doc__ = doc
    return operation(shuffle)


flip_bit0 = _shuffle("X on element bit 0.", lambda element: element ^ 1)
flip_bit1 = _shuffle("X on element bit 1.", lambda element: element ^ 2)
flip_bit2 = _shuffle("X on element bit 2.", lambda element: element ^ 4)
cnot_bit2_bit1 = _shuffle(
    "CNOT, element bit 2 on 1.", lambda element: element ^ (element >> 2 & 1) << 1
)
cnot_bit1_bit0 = _shuffle("CNOT, element bit 1 on 0.", lambda element: element ^ (element >> 1 & 1))
cnot_bit0_bit2 = _shuffle("CNOT, element bit 0 on 2.", lambda element: element ^ (element & 1) << 2)


@operation
def interleave(typing: Any, even: Any, odd: Any) -> Any:
    """Even elements of one vector, odd elements of the other, each where it was."""
    order = _elements([element + WIDTH * (element & 1) for element in range(WIDTH)])

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.shuffle_vector(args[0], args[1], order)

    return vector8(vector8, vector8), emit


def _signs(bit: int) -> Any:
    doubles = [
        ir.Constant(ir.DoubleType(), 1.0 if element >> bit & 1 else -1.0) for element in range(8)
    ]
    constant = ir.Constant(LLVM_VECTOR, doubles)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(_spread(builder, args[0]), constant)

    def spread_signed(typing: Any, scalar: Any) -> Any:
        return vector8(types.float64), emit

    spread_signed.__doc__ = f"−x in the elements whose bit {bit} is 0, x in those where it is 1."
    return operation(spread_signed)


signed_bit0 = _signs(0)
signed_bit1 = _signs(1)
signed_bit2 = _signs(2)


@operation
def total(typing: Any, vector: Any) -> Any:
    """Sum of the elements, in a fixed order."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (partial,) = args
        # By halves on every processor: the order of additions is part of every result.
        for distance in (4, 2, 1):
            moved = _elements([element ^ distance for element in range(WIDTH)])
            partial = builder.fadd(partial, builder.shuffle_vector(partial, partial, moved))
        return builder.extract_element(partial, ir.Constant(_ELEMENT, 0))

    return types.float64(vector8), emit


@operation
def bit_count(typing: Any, integer: Any) -> Any:
    """Number of bits set in an integer."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.int64), emit
