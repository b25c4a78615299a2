"""Vectors of eight doubles as values in compiled code.

A compiler cannot vectorise a loop by itself if the loop touches eight places of one array at a
stride that is known only at run time. So the few operations that the kernels need are written here
as LLVM vector instructions. LLVM maps them to the registers of the processor: one of 512 bits, two
of 256 bits or four of 128 bits.

The three lowest bits of an index select the element inside a vector. They are called element bits
0, 1 and 2. All functions of this module can be called from compiled code only.
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
    """Numba's type of eight doubles in a register."""

    def __init__(self) -> None:
        super().__init__(name="Vector8")


# A data model tells Numba which LLVM type a value of a Numba type has. A primitive model has the
# same LLVM type everywhere (variable, argument, return value), so that the value can stay in a
# register and is never wrapped in a structure.
@register_model(Vector8)
class _Vector8Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector8) -> None:
        super().__init__(manager, kind, LLVM_VECTOR)  # type: ignore[no-untyped-call]


vector8 = Vector8()


# All operations below have the form that Numba asks of an intrinsic. Numba calls the function with
# its typing context and the types of the arguments. The function returns a signature, such as
# ``vector8(vector8, vector8)`` (the result's type, then those of the arguments), and a second
# function, which writes the LLVM instructions with an LLVM builder and returns the result's value.
def operation(define: Callable[..., Any]) -> Any:
    """Make an operation of compiled code from the function that defines it.

    Compiled code calls the operation without the first argument, the typing context.
    """
    return intrinsic(define)


def _address(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
    """The address of a vector in an array of doubles; ``args`` are the array and the index."""
    # In LLVM a NumPy array is a structure. `make_array` makes its fields readable by name, and
    # ``data`` is the pointer to its first double. Numba's function has no type hints.
    array_of: Any = make_array
    array = array_of(signature.args[0])(context, builder, args[0])
    # The address of one double, taken as the address of the eight doubles that begin there.
    start = builder.gep(array.data, [args[1]])
    return builder.bitcast(start, LLVM_VECTOR.as_pointer())


@operation
def load(typing: Any, array: Any, index: Any) -> Any:
    """The eight doubles that start at ``array[index]``. The bounds are not checked."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # Without ``align`` LLVM would assume that a vector begins at a multiple of 64 bytes. An
        # array of a caller promises no more than the 8 bytes of a double.
        return builder.load(_address(context, builder, signature, args), align=8)

    return vector8(array, types.intp), emit


@operation
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write eight doubles to ``array[index]`` and the seven places after it, without a check."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, signature, args), align=8)
        # A function without a result must return some value in Numba's LLVM code.
        return context.get_dummy_value()

    return types.void(array, types.intp, vector8), emit


def _spread(builder: Any, scalar: Any) -> Any:
    # LLVM has no instruction that copies a number to all elements. It recognises this pair of
    # instructions (insert at 0, then take element 0 eight times) as the processor's broadcast.
    elements = ir.Constant(LLVM_VECTOR, ir.Undefined)
    first = builder.insert_element(elements, scalar, ir.Constant(_ELEMENT, 0))
    return builder.shuffle_vector(first, elements, _elements([0] * WIDTH))


def _elements(order: Sequence[int]) -> Any:
    """A constant list of element numbers, as the instruction ``shuffle_vector`` takes it."""
    return ir.Constant(
        ir.VectorType(_ELEMENT, WIDTH), [ir.Constant(_ELEMENT, element) for element in order]
    )


@operation
def spread(typing: Any, scalar: Any) -> Any:
    """A vector with the same number in every element."""

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
    # `fmuladd` becomes one fused instruction where the processor has it, else two. `fma` would
    # always be fused, by a slow call of the C library on processors without the instruction.
    kind = ir.FunctionType(LLVM_VECTOR, [LLVM_VECTOR] * 3)
    declare: Any = cgutils.get_or_insert_function
    function = declare(builder.module, kind, "llvm.fmuladd.v8f64")
    return builder.call(function, [a, b, c])


add = _arithmetic("a + b", 2, lambda builder, a, b: builder.fadd(a, b))
subtract = _arithmetic("a − b", 2, lambda builder, a, b: builder.fsub(a, b))
divide = _arithmetic("a / b", 2, lambda builder, a, b: builder.fdiv(a, b))
# An ordered comparison with NaN is false, so the result is b wherever a is NaN.
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
    """An operation that permutes elements: element i of the result is element source(i)."""
    order = _elements([source(element) for element in range(WIDTH)])

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.shuffle_vector(args[0], args[0], order)

    def shuffle(typing: Any, vector: Any) -> Any:
        return vector8(vector8), emit

    shuffle.__doc__ = doc
    return operation(shuffle)


# A bit flip and a CNOT are their own inverses, so it makes no difference whether ``source`` says
# where an element comes from or where it goes.
flip_bit0 = _shuffle("Pauli X on element bit 0.", lambda element: element ^ 1)
flip_bit1 = _shuffle("Pauli X on element bit 1.", lambda element: element ^ 2)
flip_bit2 = _shuffle("Pauli X on element bit 2.", lambda element: element ^ 4)
cnot_bit2_bit1 = _shuffle(
    "CNOT from element bit 2 to 1.", lambda element: element ^ (element >> 2 & 1) << 1
)
cnot_bit1_bit0 = _shuffle(
    "CNOT from element bit 1 to 0.", lambda element: element ^ (element >> 1 & 1)
)
cnot_bit0_bit2 = _shuffle(
    "CNOT from element bit 0 to 2.", lambda element: element ^ (element & 1) << 2
)


@operation
def interleave(typing: Any, even: Any, odd: Any) -> Any:
    """The even elements of one vector and the odd ones of the other, each in its own place."""
    # A shuffle of two vectors numbers the elements of the second one from 8 on.
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

    spread_signed.__doc__ = f"−x in the elements whose bit {bit} is 0, and x in the others."
    return operation(spread_signed)


signed_bit0 = _signs(0)
signed_bit1 = _signs(1)
signed_bit2 = _signs(2)


@operation
def total(typing: Any, vector: Any) -> Any:
    """The sum of the elements, always added in the same order."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (partial,) = args
        # First elements at a distance of four are added, then at two, then at one. Additions of
        # doubles depend on their order, so it is fixed here instead of left to the processor.
        for distance in (4, 2, 1):
            moved = _elements([element ^ distance for element in range(WIDTH)])
            partial = builder.fadd(partial, builder.shuffle_vector(partial, partial, moved))
        return builder.extract_element(partial, ir.Constant(_ELEMENT, 0))

    return types.float64(vector8), emit


@operation
def bit_count(typing: Any, integer: Any) -> Any:
    """The number of bits that are 1 in an integer."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.int64), emit
