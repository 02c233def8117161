"""A sparse matrix times many members at once, members first, in a fixed order of summation.

Four members go through a row side by side: index and weight of an entry are read once for them, and their
four sums do not wait for each other. Blocks of rows keep the matrix in the cache while all members pass.
Fields are read where they are: no copy with members last.

Every sum starts from zero and adds ``value * x`` entry by entry, in the order in which the row holds them,
whatever the number of members, blocks or ranks: results keep their bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    Array: TypeAlias = NDArray[np.float64]
    Starts: TypeAlias = NDArray[np.int64]
    Positions: TypeAlias = NDArray[np.uint32]
    Matrix: TypeAlias = tuple[Starts, Positions, Array]
    Four: TypeAlias = tuple[Array, Array, Array, Array]

ROWS = 2048
"""Rows in a block."""


class Product:
    """Rows of a sparse matrix, applied to arrays ``(members, columns)`` by compiled loops.

    Parameters
    ----------
    matrix
        Shape ``(rows, columns)``; each row's entries are summed in the order in which they are stored.
    """

    def __init__(self, matrix: sparse.csr_array) -> None:
        self.shape = matrix.shape
        # unsigned: negative indices would count from the end, which costs a test an entry
        columns = matrix.indices.astype(np.int32, copy=False).view(np.uint32)
        self.matrix: Matrix = matrix.indptr.astype(np.int64), columns, matrix.data

    def __call__(self, x: Array) -> Array:
        """Return ``A x`` for every member, shape ``(members, rows)``, from ``(members, columns)``."""
        x = np.ascontiguousarray(x)
        out = np.empty((len(x), self.shape[0]))
        if len(x) == 1:
            _one(self.matrix, x[0], out[0])
        elif out.size:
            _many(self.matrix, x, out, ROWS)
        return out


@compiled
def _one(matrix: Matrix, x: Array, out: Array) -> None:
    """Sum the rows for one member."""
    starts, column, value = matrix
    entry = np.uint64(0)
    for row in range(len(out)):
        total = 0.0
        end = np.uint64(starts[row + 1])
        while entry < end:
            total += value[entry] * x[column[entry]]
            entry += np.uint64(1)
        out[row] = total


@compiled
def _many(matrix: Matrix, x: Array, out: Array, rows: int) -> None:
    """Sum the rows for members in groups of four, block by block; the last member fills up its group."""
    last = len(x) - 1
    for first in range(0, out.shape[1], rows):
        block = first, min(out.shape[1], first + rows)
        for a in range(0, len(x), 4):
            b, c, d = min(a + 1, last), min(a + 2, last), min(a + 3, last)
            _four(matrix, (x[a], x[b], x[c], x[d]), (out[a], out[b], out[c], out[d]), block)


@compiled
def _four(matrix: Matrix, x: Four, out: Four, block: tuple[int, int]) -> None:
    """Sum a block of rows for four members."""
    starts, column, value = matrix
    x0, x1, x2, x3 = x
    entry = np.uint64(starts[block[0]])
    for row in range(block[0], block[1]):
        a = b = c = d = 0.0
        end = np.uint64(starts[row + 1])
        while entry < end:
            k, weight = column[entry], value[entry]
            a += weight * x0[k]
            b += weight * x1[k]
            c += weight * x2[k]
            d += weight * x3[k]
            entry += np.uint64(1)
        out[0][row], out[1][row], out[2][row], out[3][row] = a, b, c, d
