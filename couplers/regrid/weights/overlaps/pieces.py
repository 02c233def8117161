"""Cells in convex pieces, as ESMF takes them apart to cut one cell by another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.couplers.grids import sphere
from tradewind.couplers.regrid.weights.ears import ears
from tradewind.couplers.regrid.weights.overlaps import rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

WHOLE = 4
"""Corners up to which a convex cell stays in one piece."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """Convex polygons, those of each cell one after the other.

    Attributes
    ----------
    corners
        Unit vectors, shape ``(pieces, nv, 3)``; pieces with fewer corners repeat the last one.
    starts
        Where the pieces of each cell begin, shape ``(cells + 1,)``.
    """

    corners: Array
    starts: Index

    @classmethod
    def of(cls, grid: Grid, cells: Index) -> Pieces:
        """Return the pieces of some cells: a cell with more than four corners, or a hollow, in triangles.

        Triangles are cut off one by one, the ear with the sharpest tip first. A polygon that has no ears,
        because its sides cross or run the wrong way, stays whole.
        """
        corners = rounding.corners(grid, cells)
        many = _distinct(corners) > WHOLE if corners.shape[1] > WHOLE else np.zeros(len(cells), dtype=bool)
        split = many | ~sphere.convex(corners)
        if not split.any():
            return cls(corners, np.arange(len(cells) + 1))
        return cls(*_taken_apart(corners, np.asarray(split)))

    def pairs(self, other: Pieces, here: Index, there: Index) -> tuple[Index, Index, Index]:
        """Return all pairs of pieces of pairs of cells: which pair of cells, piece here, piece there."""
        counts = np.diff(self.starts)[here], np.diff(other.starts)[there]
        pair = np.repeat(np.arange(len(here)), counts[0] * counts[1])
        within = np.arange(len(pair)) - np.repeat(np.cumsum(counts[0] * counts[1]), counts[0] * counts[1])
        within += (counts[0] * counts[1])[pair]
        mine, theirs = np.divmod(within, counts[1][pair])
        return pair, self.starts[here][pair] + mine, other.starts[there][pair] + theirs


def _distinct(corners: Array) -> Index:
    """Return the number of corners of each polygon that do not repeat the one before."""
    return np.asarray((corners != np.roll(corners, 1, axis=1)).any(axis=-1).sum(axis=1))


@compiled
def _taken_apart(corners: Array, split: NDArray[np.bool_]) -> tuple[Array, Index]:
    """Corners of the pieces, and where those of each cell begin."""
    n, nv = corners.shape[0], corners.shape[1]
    out, starts = np.empty((n + int(split.sum()) * (nv - 3), nv, 3)), np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        at, m = starts[i], 0
        triangles, ring = np.empty((nv, 3), dtype=np.int64), np.empty(nv, dtype=np.int64)
        for k in range(nv):
            if (corners[i, k] != corners[i, k - 1]).any():
                ring[m], m = k, m + 1
        if split[i] and m > 3 and ears(ring, m, corners[i], triangles[: m - 2]):
            for t in range(m - 2):
                for k in range(nv):
                    out[at + t, k] = corners[i, triangles[t, min(k, 2)]]
            starts[i + 1] = at + m - 2
        else:
            out[at] = corners[i]
            starts[i + 1] = at + 1
    return out[: starts[n]], starts
