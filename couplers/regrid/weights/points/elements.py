"""Elements: triangles and quadrilaterals whose corners are places where the source is known.

Those of a grid of rows and columns join the centres of neighbouring cells, and close its poles; those of a
mesh are the polygons of its dual. An element with a masked corner is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import topology
from tradewind.couplers.regrid.weights.points import poles as closing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid
    from tradewind.couplers.regrid.scheme import Poles

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Entries: TypeAlias = tuple[Index, Index, Array]


@dataclass(frozen=True, eq=False)
class Elements:
    """Elements of a source.

    Attributes
    ----------
    places
        Unit vectors ``(n, 3)``: the centres of the cells, then those of pole points.
    corners
        Places ``(m, 4)``, in order around; the last of a triangle is -1.
    starts, cells, shares
        Pole point ``k`` holds ``Σ shares[j] x[cells[j]]`` for j in ``starts[k]:starts[k + 1]``.
    """

    places: Array
    corners: Index
    starts: Index
    cells: Index
    shares: Array

    def of_cells(self, row: Index, place: Index, value: Array) -> Entries:
        """Return entries in which pole points are replaced by the cells that they are made of."""
        n = len(self.places) - (len(self.starts) - 1)
        pole = place >= n
        if not pole.any():
            return row, place, value
        which = place[pole] - n
        count = self.starts[which + 1] - self.starts[which]
        ends = np.cumsum(count)
        member = np.arange(ends[-1]) + np.repeat(self.starts[which] - (ends - count), count)
        return (
            np.concatenate([row[~pole], np.repeat(row[pole], count)]),
            np.concatenate([place[~pole], self.cells[member]]),
            np.concatenate([value[~pole], np.repeat(value[pole], count) * self.shares[member]]),
        )


def elements_of(source: Grid, poles: Poles) -> Elements:
    """Return the elements of a source without those that have a masked corner.

    Raises
    ------
    GridError
        A mesh or points without corners: nobody knows which cells touch.
    SpecError
        More points about a pole than there are.
    """
    closed = closing.closures(source, poles) if len(source.shape) == 2 else []
    fans = [np.pad(c.triangles, ((0, 0), (0, 1)), constant_values=-1) for c in closed]
    corners = np.concatenate([between_centres(source), *fans])
    places = np.concatenate([source.centres, *(c.places for c in closed)])
    known = [source.mask[c.cells].any(axis=1) for c in closed]
    if not source.mask.all():
        active = np.concatenate([source.mask, *known, [True]])
        # a triangle's -1 finds the last flag, which is true
        corners = corners[active[corners].all(axis=1)]
    return Elements(places, corners, *_shares(closed, source.mask))


def between_centres(grid: Grid) -> Index:
    """Return the elements ``(n, 4)`` between the centres of a grid, without anything about poles."""
    if len(grid.shape) == 2:
        return topology.centre_quads(grid)
    from tradewind.couplers.regrid.weights.points.dual import dual_elements

    return dual_elements(grid)


def _shares(closed: list[closing.Closure], mask: Flags) -> Entries:
    """Return `starts`, `cells` and `shares` of all pole points: the mean of the active cells of each."""
    rows = [row[mask[row]] for c in closed for row in c.cells]
    starts = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    nothing = np.zeros(0, dtype=np.int64)
    shares = [np.full(len(r), 1.0 / len(r)) for r in rows if len(r)]
    return starts, np.concatenate([nothing, *rows]), np.concatenate([np.zeros(0), *shares])


def sides(corners: Index) -> tuple[Index, Index]:
    """Return the two ends of every side of elements ``(n, 4)``, each side both ways; some come twice."""
    after = np.roll(corners, -1, axis=1)
    # the side that leads back to the first corner of a triangle
    after[:, 2] = np.where(corners[:, 3] < 0, corners[:, 0], after[:, 2])
    real = (corners >= 0) & (after >= 0)
    a, b = corners[real], after[real]
    return np.concatenate([a, b]), np.concatenate([b, a])
