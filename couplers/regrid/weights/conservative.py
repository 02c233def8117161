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
from tradewind.couplers.regrid.weights import clip
from tradewind.couplers.regrid.weights.tree import BoxTree, boxes_around
from tradewind.couplers.regrid.weights.triplets import coalesce

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
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
    parts = [_shared(source, *meeting) for meeting in _meetings(source, target, rows)]
    row, col, area = coalesce(*_joined(parts, np.zeros(0)))
    real = _real(source, target, row, col, area)
    return (row, col, area) if real.all() else (row[real], col[real], area[real])


def overlaps_with_centroids(source: Grid, target: Grid, rows: Index) -> tuple[Index, Index, Array, Array]:
    """Return what `overlap_areas` does, and where each overlap has its middle, shape ``(entries, 3)``.

    The middle is the mean of the corners brought to the sphere, as in ESMF's second order. Of a target that
    is not convex, and taken in pieces, it is the mean of theirs weighted by area.
    """
    parts = [_shared_with_middles(source, *meeting) for meeting in _meetings(source, target, rows)]
    row, col, sums = coalesce(*_joined(parts, np.zeros((0, 4))))
    real = _real(source, target, row, col, sums[:, 0])
    row, col, sums = row[real], col[real], sums[real]
    return row, col, sums[:, 0].copy(), sums[:, 1:] / sums[:, :1]


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
        corners = target.corners[rows]
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


def _meetings(source: Grid, target: Grid, rows: Index) -> Iterator[tuple[_Pieces, Index, Index]]:
    """Yield pieces of target cells, and pairs of a piece and a source cell that may meet, part by part."""
    rows = rows[target.mask[rows]]
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    columns, tree = _near(source, [boxes_around(target.corners[block]) for block in blocks])
    for block in blocks:
        pieces = _Pieces.of(target, block)
        for i, j in tree.chunks(*boxes_around(pieces.corners)):
            yield pieces, i, columns[j]


def _near(
    source: Grid, boxes: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> tuple[Index, BoxTree]:
    """Return the active source cells that touch the box about some boxes, and the tree over them."""
    low, high = boxes_around(source.corners)
    near = source.mask if boxes else np.zeros(source.size, dtype=bool)
    if boxes:
        lowest, highest = (
            np.min([b[0].min(axis=0) for b in boxes], axis=0),
            np.max([b[1].max(axis=0) for b in boxes], axis=0),
        )
        near = near & (low <= highest).all(axis=1) & (high >= lowest).all(axis=1)
    columns = np.flatnonzero(near)
    return columns, BoxTree.over(low[columns], high[columns])


def _shared(source: Grid, pieces: _Pieces, i: Index, j: Index) -> Entries:
    area = clip.areas(source.corners, source.polygon_area, pieces.corners, j, i)
    some = np.flatnonzero(area)
    i, j = i[some], j[some]
    return pieces.row[i], j, pieces.sign[i] * area[some]


def _shared_with_middles(source: Grid, pieces: _Pieces, i: Index, j: Index) -> Entries:
    """Return as areas what `_shared` does and the areas times the middles, shape ``(entries, 4)``."""
    found = clip.areas_and_centroids(source.corners, pieces.corners, j, i)
    some = np.flatnonzero(found[:, 0])
    i, j, found = i[some], j[some], found[some]
    found[:, 0] *= pieces.sign[i]
    found[:, 1:] *= found[:, :1]
    return pieces.row[i], j, found


def _joined(parts: list[Entries], nothing: Array) -> Entries:
    none = np.zeros(0, dtype=np.int64)
    row, col, value = (np.concatenate(p) for p in zip((none, none, nothing), *parts, strict=True))
    return row, col, value


def _real(source: Grid, target: Grid, row: Index, col: Index, area: Array) -> Flags:
    """Return which overlaps are more than rounding."""
    return np.asarray(area > SLIVER * np.minimum(target.polygon_area[row], source.polygon_area[col]))


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
