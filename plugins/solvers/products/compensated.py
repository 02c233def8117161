"""Sums that carry twice the digits, so that the order in which parts come no longer shows.

Every addition keeps what it rounds away (Knuth's TwoSum), and the sum of that is added at the end: the result
is what a sum in about 106 bits gives, rounded once (Ogita, Rump and Oishi, 2005, doi 10.1137/030601818,
algorithm Sum2). Parts may therefore be added by any number of ranks, each its own, without keeping them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.ranks.parallel import Communicator, block_ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Indices: TypeAlias = NDArray[np.int64]

ENTRIES = 1 << 20
"""Numbers of a sum that travel together."""


class Compensated:
    """A sum of arrays of one shape, in about 106 bits.

    Parameters
    ----------
    shape
        Of the arrays.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.high, self.low = np.zeros(shape), np.zeros(shape)

    def add(self, part: Array) -> None:
        """Add an array."""
        accumulate(self.high, self.low, part)

    def total(self, comm: Communicator) -> Array:
        """Return the sum over all ranks, rounded once; it takes the memory of this one. Collective."""
        for block in _blocks(self.high):
            self._merge(comm, self.high[block], self.low[block])
        self.high += self.low
        return self.high

    def _merge(self, comm: Communicator, high: Array, low: Array) -> None:
        if comm.size == 1:
            return
        parts = comm.allgather_array(np.stack([high, low])[None])
        high[...], low[...] = parts[0][0]
        for part in parts[1:]:
            accumulate(high, low, part[0, 0])
            low += part[0, 1]


class CompensatedSquare(Compensated):
    """A sum of symmetric matrices of shape ``(n, n)``: what is below the diagonal counts.

    Parameters
    ----------
    n
        Rows of the matrix.
    """

    def __init__(self, n: int) -> None:
        super().__init__((n, n))

    def add_rows(self, part: Array, columns: Indices, first: int) -> None:
        """Add some rows of a symmetric matrix that has entries in some columns, and the same rows, only.

        Parameters
        ----------
        part
            Rows from `first` of the matrix ``(k, k)`` of those columns, at least up to the diagonal.
        columns
            Where they belong, ascending, shape ``(k,)``.
        """
        from tradewind.plugins.solvers.products.scattering import scatter

        scatter(self.high, self.low, part, columns, first)

    def total(self, comm: Communicator) -> Array:
        """Return the sum over all ranks, symmetric; it takes the memory of this one. Collective."""
        return mirrored(super().total(comm))


def accumulate(high: Array, low: Array, part: Array) -> None:
    """Add `part` to `high`, and what that rounds away to `low`."""
    total = high + part
    back = total - high
    low += (high - (total - back)) + (part - back)
    high[...] = total


def mirrored(matrix: Array) -> Array:
    """Return a square matrix with what is below its diagonal copied above it, in place."""
    for block in _blocks(matrix):
        begin, end = block.start, block.stop
        matrix[begin:end, end:] = matrix[end:, begin:end].T
        corner = matrix[begin:end, begin:end]
        corner[...] = np.tril(corner) + np.tril(corner, -1).T
    return matrix


def _blocks(array: Array) -> list[slice]:
    width = max(1, array[:1].size)
    return [slice(r.start, r.stop) for r in block_ranges(len(array), max(1, ENTRIES // width))]
