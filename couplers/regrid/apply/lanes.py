"""Four members side by side: the two steps of a product that compilers do not vectorise by themselves.

Lanes hold members, never entries, so no sum changes its order, and multiplications and additions are never
fused: a member's result has the same bits whether it comes alone or among others.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 4
BYTES = 8 * LANES
_INDEX, _INT, _DOUBLE = ir.IntType(64), ir.IntType(32), ir.DoubleType()
_VECTOR = ir.VectorType(_DOUBLE, LANES)


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _load(builder: Any, address: Any) -> Any:
    found = builder.load(_pointer(builder, address, _VECTOR))
    found.align = 8
    return found


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, _pointer(builder, address, _VECTOR)).align = 8


def _shuffled(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT, LANES), order))


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    pairs = [
        _shuffled(builder, rows[k], rows[k + 1], order)
        for k in (0, 2)
        for order in ([0, 4, 2, 6], [1, 5, 3, 7])
    ]
    halves = ([0, 1, 4, 5], [2, 3, 6, 7])
    return [_shuffled(builder, pairs[k], pairs[k + 2], order) for order in halves for k in (0, 1)]


def _transpose_square(context: Any, sources: Any, targets: Any) -> Any:
    """Read four doubles at each of four addresses, and write the transposed square at four others."""
    square = types.UniTuple(types.intp, LANES)  # type: ignore[no-untyped-call]

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        origins, ends = (_four_of(builder, a) for a in arguments)
        rows = [_load(builder, address) for address in origins]
        for column, address in zip(_transposed(builder, rows), ends, strict=True):
            _store(builder, column, address)
        return context.get_dummy_value()

    return types.void(square, square), code


def _four_of(builder: Any, addresses: Any) -> list[Any]:
    return [builder.extract_value(addresses, k) for k in range(LANES)]


transpose_square: Any = intrinsic(_transpose_square)


def row_sum(vectors: int) -> Any:
    """Return the intrinsic that sums a row for ``4 * vectors`` members at once.

    It takes the addresses of the row's values and slots (uint32), their number, the address of the buffer
    (one line of members a slot) and that of the result, and adds ``value * line`` from the first entry on.
    """

    @intrinsic
    def sum_of_row(context: Any, values: Any, slots: Any, count: Any, buffer: Any, out: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _sum_row(builder, vectors, arguments)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 5), code

    return sum_of_row


def _sum_row(builder: Any, vectors: int, arguments: Any) -> None:
    values, slots, count, buffer, out = arguments
    sums = [_place(builder) for _ in range(vectors)]
    for place in sums:
        builder.store(ir.Constant(_VECTOR, [0.0] * LANES), place)
    value_at, slot_at = _pointer(builder, values, _DOUBLE), _pointer(builder, slots, _INT)
    with cgutils.for_range(builder, count) as loop:
        weight = _spread(builder, builder.load(builder.gep(value_at, [loop.index])))
        slot = builder.zext(builder.load(builder.gep(slot_at, [loop.index])), _INDEX)
        line = builder.add(buffer, builder.mul(slot, ir.Constant(_INDEX, BYTES * vectors)))
        for k, place in enumerate(sums):
            term = builder.fmul(weight, _load(builder, _shift(builder, line, k)))
            builder.store(builder.fadd(builder.load(place), term), place)
    for k, place in enumerate(sums):
        _store(builder, builder.load(place), _shift(builder, out, k))


def _place(builder: Any) -> Any:
    return cgutils.alloca_once(builder, _VECTOR)  # type: ignore[no-untyped-call]


def _spread(builder: Any, value: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(_INT, 0))
    return _shuffled(builder, first, first, [0] * LANES)


def _shift(builder: Any, address: Any, vectors: int) -> Any:
    return builder.add(address, ir.Constant(_INDEX, BYTES * vectors))
