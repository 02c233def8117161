"""A sparse matrix times many members at once, members first, in a fixed order of summation.

One member is a plain loop over rows. Several members go through blocks of rows: the columns that a block
names are turned, four members by four columns, into a small buffer that stays in the cache, with members
side by side; then every row is summed for eight members at a time. Index and weight of an entry are so read
once for eight members, and the members' fields are read once in long runs, with no transposed copy of them.

Every sum starts from zero and adds ``value * x`` entry by entry, in the order in which the row holds them,
whatever the number of members, blocks or ranks: results keep their bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numba import njit

from tradewind.couplers.regrid.apply.lanes import LANES, row_sum, transpose_square

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    Array: TypeAlias = NDArray[np.float64]
    Starts: TypeAlias = NDArray[np.int64]
    Positions: TypeAlias = NDArray[np.uint32]

SQUARES = 6144
"""Squares of four columns that the buffer of a block may hold: 1.5 MiB for eight members."""
_WORD = 8
_sum_4, _sum_8 = row_sum(1), row_sum(2)


@dataclass(frozen=True)
class Blocks:
    """Blocks of consecutive rows, and the squares of four columns that each of them names.

    Attributes
    ----------
    rows, squares
        Where each block begins among rows and in `square`, shape ``(blocks + 1,)``.
    square
        Numbers of the squares (column // 4), ascending within a block.
    slot
        Place of every entry's column in its block's buffer, shape ``(entries,)``.
    """

    rows: Starts
    squares: Starts
    square: Positions
    slot: Positions


class Product:
    """Rows of a sparse matrix, applied to arrays ``(members, columns)`` by compiled loops.

    Parameters
    ----------
    matrix
        Shape ``(rows, columns)``; each row's entries are summed in the order in which they are stored.
    """

    def __init__(self, matrix: sparse.csr_array) -> None:
        self.shape = matrix.shape
        self.starts: Starts = matrix.indptr.astype(np.int64)
        # unsigned: negative indices would count from the end, which costs a test an entry
        self.column: Positions = matrix.indices.astype(np.int32, copy=False).view(np.uint32)
        self.value: Array = matrix.data

    @cached_property
    def blocks(self) -> Blocks:
        """The blocks, made when several members are asked for the first time."""
        return Blocks(*_blocks(self.starts, self.column, SQUARES, -(-self.shape[1] // LANES)))

    def __call__(self, x: Array) -> Array:
        """Return ``A x`` for every member, shape ``(members, rows)``, from ``(members, columns)``."""
        x = np.ascontiguousarray(x)
        out = np.empty((len(x), self.shape[0]))
        if out.size == 0:
            return out
        whole = len(x) - len(x) % (2 * LANES)
        if whole:
            self._in_blocks(_eights, x[:whole], out[:whole])
        self._few(x[whole:], out[whole:])
        return out

    def _few(self, x: Array, out: Array) -> None:
        if len(x) > LANES:
            self._in_blocks(_eights, x, out)
        elif len(x) > 1:
            self._in_blocks(_fours, x, out)
        elif len(x) == 1:
            _one(self.starts, self.column, self.value, x[0], out[0])

    def _in_blocks(self, kernel: Any, x: Array, out: Array) -> None:
        b = self.blocks
        kernel(self.starts, self.value, (b.rows, b.squares, b.square, b.slot), x, out)


@njit(cache=True)
def _one(starts: Starts, column: Positions, value: Array, x: Array, out: Array) -> None:
    """Sum the rows for one member."""
    entry = np.uint64(0)
    for row in range(len(out)):
        total = 0.0
        end = np.uint64(starts[row + 1])
        while entry < end:
            total += value[entry] * x[column[entry]]
            entry += np.uint64(1)
        out[row] = total


@njit(cache=True)
def _blocks(starts: Starts, column: Positions, limit: int, squares: int) -> Any:
    """Cut rows into blocks that name at most `limit` squares (or one row), and give entries their slots."""
    last_seen, place = np.full(squares, -1, np.int64), np.zeros(squares, np.int64)
    slot, square = np.empty(len(column), np.uint32), np.empty(len(column), np.uint32)
    rows, ends = [0], [0]
    row, total = 0, 0
    while row < len(starts) - 1:
        first, block = rows[-1], len(rows)
        while row < len(starts) - 1:
            found = _collect(column[starts[row] : starts[row + 1]], last_seen, block, square, total)
            if found - ends[-1] > limit and row > first:
                break
            row, total = row + 1, found
        # ascending: the fields are then read in long runs
        square[ends[-1] : total] = np.sort(square[ends[-1] : total])
        for number in range(ends[-1], total):
            place[square[number]] = number - ends[-1]
        for entry in range(starts[first], starts[row]):
            slot[entry] = place[column[entry] >> 2] * 4 + (column[entry] & 3)
        rows.append(row)
        ends.append(total)
    return np.array(rows), np.array(ends), square[:total].copy(), slot


@njit(cache=True)
def _collect(column: Positions, last_seen: Starts, block: int, square: Positions, total: int) -> int:
    """Append the squares of a row that its block has not named yet; return how many there are now."""
    for c in column:
        if last_seen[c >> 2] != block:
            last_seen[c >> 2] = block
            square[total] = c >> 2
            total += 1
    return total


@njit(cache=True)
def _eights(starts: Starts, value: Array, blocks: Any, x: Array, out: Array) -> None:
    """Sum the rows for members in groups of eight, block by block."""
    rows, squares, square, slot = blocks
    buffer = np.empty((LANES * np.diff(squares).max(), 2 * LANES))
    sums = np.empty((np.diff(rows).max(), 2 * LANES))
    for block in range(len(rows) - 1):
        first, last = rows[block], rows[block + 1]
        named = square[squares[block] : squares[block + 1]]
        for member in range(0, len(x), 2 * LANES):
            low, high = _four(member, len(x)), _four(member + LANES, len(x))
            _gather(x, low, named, buffer, 0)
            _gather(x, high, named, buffer, LANES)
            for row in range(first, last):
                begin, count = starts[row], starts[row + 1] - starts[row]
                _sum_8(_at(value, begin), _at(slot, begin), count, _at(buffer, 0), _at(sums[row - first], 0))
            _scatter(sums, last - first, 0, low, out, first)
            _scatter(sums, last - first, LANES, high, out, first)


@njit(cache=True)
def _fours(starts: Starts, value: Array, blocks: Any, x: Array, out: Array) -> None:
    """Sum the rows for at most four members, block by block."""
    rows, squares, square, slot = blocks
    buffer = np.empty((LANES * np.diff(squares).max(), LANES))
    sums = np.empty((np.diff(rows).max(), LANES))
    members = _four(0, len(x))
    for block in range(len(rows) - 1):
        first, last = rows[block], rows[block + 1]
        _gather(x, members, square[squares[block] : squares[block + 1]], buffer, 0)
        for row in range(first, last):
            begin, count = starts[row], starts[row + 1] - starts[row]
            _sum_4(_at(value, begin), _at(slot, begin), count, _at(buffer, 0), _at(sums[row - first], 0))
        _scatter(sums, last - first, 0, members, out, first)


@njit(cache=True)
def _at(array: Any, index: int) -> Any:
    """Return the address of an element."""
    return array.ctypes.data + index * array.itemsize


@njit(cache=True)
def _gather(x: Array, members: Any, square: Positions, buffer: Array, lane: int) -> None:
    """Turn four members' squares into lines of `buffer`, from `lane` on."""
    n, line = x.shape[1], buffer.shape[1] * _WORD
    place = _at(buffer, lane)
    origins = _rows_at(x, members, 0)
    for k in range(len(square)):
        column = np.intp(square[k]) * LANES
        if column + LANES <= n:
            transpose_square(_moved(origins, column * _WORD), _spaced(place, line))
        else:
            _gather_rest(x[:, column:], members, buffer[k * LANES :], lane)
        place += LANES * line


@njit(cache=True)
def _gather_rest(x: Array, members: Any, buffer: Array, lane: int) -> None:
    """Copy the last columns, fewer than four."""
    for column in range(x.shape[1]):
        for k in range(LANES):
            buffer[column, lane + k] = x[members[k], column]


@njit(cache=True)
def _scatter(sums: Array, rows: int, lane: int, members: Any, out: Array, first: int) -> None:
    """Turn sums, a line of members each row, into rows of four members of `out`."""
    line = sums.shape[1] * _WORD
    place, ends = _at(sums, lane), _rows_at(out, members, first)
    whole = rows - rows % LANES
    for row in range(0, whole, LANES):
        transpose_square(_spaced(place + row * line, line), _moved(ends, row * _WORD))
    for row in range(whole, rows):
        for k in range(LANES):
            out[members[k], first + row] = sums[row, lane + k]


@njit(cache=True)
def _four(first: int, count: int) -> Any:
    """Return four members from `first` on; beyond the last one it is repeated, with the same result."""
    last = count - 1
    return min(first, last), min(first + 1, last), min(first + 2, last), min(first + 3, last)


@njit(cache=True)
def _rows_at(array: Array, rows: Any, column: int) -> Any:
    """Return the addresses of one column in four rows."""
    start, line = _at(array, column), array.shape[1] * _WORD
    return start + rows[0] * line, start + rows[1] * line, start + rows[2] * line, start + rows[3] * line


@njit(cache=True)
def _moved(addresses: Any, shift: Any) -> Any:
    """Return four addresses moved by so many bytes."""
    return addresses[0] + shift, addresses[1] + shift, addresses[2] + shift, addresses[3] + shift


@njit(cache=True)
def _spaced(address: int, gap: int) -> Any:
    """Return four addresses at even gaps."""
    return address, address + gap, address + 2 * gap, address + 3 * gap
