"""First-order conservative weights: the overlaps of cells whose sides are great circles.

Jones (1999, doi 10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2), with the conventions of ESMF: with A_ij
the overlap of target i and source j and A_i the area of target i, the weight is ``A_ij / A_i`` (norm dstarea)
or ``A_ij / (A_i f_i)`` with the covered fraction ``f_i = Σ_j A_ij / A_i`` (norm fracarea).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import sphere
from tradewind.couplers.grids.places import blocks
from tradewind.couplers.regrid.weights.overlaps import clip
from tradewind.couplers.regrid.weights.tree import BoxTree, boxes_around
from tradewind.couplers.regrid.weights.triplets import coalesce

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Single: TypeAlias = NDArray[np.float32]
    Flags: TypeAlias = NDArray[np.bool_]
    Entries: TypeAlias = tuple[Index, Index, Array]

SLIVER = 1e-14
"""Overlaps below this part of the smaller cell are rounding."""
BLOCK = 1 << 16
"""Target cells looked at in one go: memory stays bounded."""
COVERED = 1e-10
"""Targets covered less than this are not covered: dividing by it would blow rounding up."""


def overlap_areas(source: Grid, target: Grid, rows: Index) -> Entries:
    """Return target cells, source cells and the steradians that they share, sorted by target, then source.

    Parameters
    ----------
    rows
        Target cells to look at, global indices; masked ones are left out.
    """
    rows = rows[target.mask[rows]]
    blocks_of_rows = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    sources = _Sources.near(source, _extent(target, blocks_of_rows))
    parts = [found for block in blocks_of_rows for found in sources.shared_with(_Pieces.of(target, block))]
    row, col, area = coalesce(*_joined(parts))
    real = np.flatnonzero(area > SLIVER * np.minimum(target.polygon_area[row], sources.area[col]))
    return row[real], sources.cells[col[real]], area[real]


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Convex polygons ``(n, nv, 3)``, the target cells that they belong to, ascending, and how they count."""

    corners: Array
    row: Index
    sign: Array

    @classmethod
    def of(cls, target: Grid, rows: Index) -> _Pieces:
        """Return target cells in convex pieces.

        A cell that is not convex becomes the fan of triangles about its first corner; those that turn
        clockwise lie outside or are counted twice by others, and are taken away again.
        """
        corners = target.corners_of(rows)
        plain = sphere.convex(corners)
        if plain.all():
            return cls(corners, rows, np.ones(len(rows)))
        fans = [_triangles(corners[~plain], k) for k in range(1, corners.shape[1] - 1)]
        parts = [(corners[plain], np.ones(int(plain.sum()))), *fans]
        row = np.concatenate([rows[plain], *[rows[~plain]] * len(fans)])
        order = np.argsort(row, kind="stable")
        pieces, sign = (np.concatenate(p)[order] for p in zip(*parts, strict=True))
        return cls(pieces, row[order], sign)


def _triangles(corners: Array, k: int) -> tuple[Array, Array]:
    """Return triangles of the first corner and the side from k on, turned to the left, and their signs."""
    index = np.array([0, k, k + 1] + [k + 1] * (corners.shape[1] - 3))
    out = corners[:, index]
    sign = np.sign(sphere.polygon_areas(out))
    return np.where(sign[:, None, None] < 0, out[:, ::-1], out), sign


@dataclass(frozen=True, eq=False)
class _Sources:
    """Active source cells that may meet the targets: numbers, corners ``(n, nv, 3)``, areas and boxes."""

    cells: Index
    corners: Array
    area: Array
    tree: BoxTree

    @classmethod
    def near(cls, source: Grid, extent: Single) -> _Sources:
        """Return the cells whose boxes touch the box from ``extent[0]`` to ``extent[1]``."""
        # room for all is not memory for all: only what is written to becomes real
        corners = np.empty((int(source.mask.sum()), source.places.n_corners, 3))
        cells = np.empty(len(corners), dtype=np.int64)
        n = 0
        for part in blocks(source.size) if np.isfinite(extent).all() else ():
            here = source.corners_of(part)
            near = np.flatnonzero(source.mask[part] & _touches(extent, *boxes_around(here)))
            corners[n : n + len(near)], cells[n : n + len(near)] = here[near], near + part.start
            n += len(near)
        corners = corners[:n]
        return cls(cells[:n], corners, sphere.polygon_areas(corners), BoxTree.over(*boxes_around(corners)))

    def shared_with(self, pieces: _Pieces) -> Iterator[Entries]:
        """Yield target cells, places in `cells`, and steradians that they share, part by part."""
        for i, j in self.tree.chunks(*boxes_around(pieces.corners)):
            area = clip.areas(self.corners, self.area, pieces.corners, j, i)
            some = np.flatnonzero(area)
            piece = i[some]
            yield pieces.row[piece], j[some], pieces.sign[piece] * area[some]


def _extent(target: Grid, parts: list[Index]) -> Single:
    """Return low and high, ``(2, 3)``, of the box about some cells; about none, one that touches nothing."""
    boxes = [boxes_around(target.corners_of(part)) for part in parts]
    lowest = [min((float(low[:, x].min()) for low, _ in boxes), default=np.inf) for x in range(3)]
    highest = [max((float(high[:, x].max()) for _, high in boxes), default=-np.inf) for x in range(3)]
    return np.array([lowest, highest], dtype=np.float32)


def _touches(extent: Single, low: Single, high: Single) -> Flags:
    along = [(low[:, x] <= extent[1, x]) & (high[:, x] >= extent[0, x]) for x in range(3)]
    return np.asarray(along[0] & along[1] & along[2])


def _joined(parts: list[Entries]) -> Entries:
    nothing = np.zeros(0, dtype=np.int64)
    row, col, value = (np.concatenate(p) for p in zip((nothing, nothing, np.zeros(0)), *parts, strict=True))
    return row, col, value


def dstarea(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weights ``A_ij / A_i`` and the covered fractions ``f_i``, shape ``(n_target,)``."""
    row, col, area = overlap_areas(source, target, rows)
    value = area / target.polygon_area[row]
    frac = np.bincount(row, weights=value, minlength=target.size)
    covered = frac > COVERED
    kept = covered[row]
    entries = (row, col, value) if kept.all() else (row[kept], col[kept], value[kept])
    return entries, np.where(covered, frac, 0.0)


def fracarea(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weights ``A_ij / (A_i f_i)``, whose rows sum to 1, and the covered fractions ``f_i``."""
    (row, col, value), frac = dstarea(source, target, rows)
    return (row, col, value / frac[row]), frac
