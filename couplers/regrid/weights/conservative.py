"""First-order conservative weights: the overlaps of cells whose sides are great circles.

Jones (1999, doi 10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2), with the conventions of ESMF: with A_ij
the overlap of target i and source j and A_i the area of target i, the weight is ``A_ij / A_i`` (norm dstarea)
or ``A_ij / (A_i f_i)`` with the covered fraction ``f_i = Σ_j A_ij / A_i`` (norm fracarea).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import sphere
from tradewind.couplers.regrid.weights import clip
from tradewind.couplers.regrid.weights.search import Caps, touching
from tradewind.couplers.regrid.weights.triplets import coalesce

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Entries: TypeAlias = tuple[Index, Index, Array]

SLIVER = 1e-14
"""Overlaps below this part of the smaller cell are rounding."""
COVERED = 1e-10
"""Targets covered less than this are not covered: dividing by it would blow rounding up."""


def overlap_areas(source: Grid, target: Grid, rows: Index) -> Entries:
    """Return target cells, source cells and the steradians that they share.

    Parameters
    ----------
    rows
        Target cells to look at, global indices; masked ones are left out.
    """
    columns, rows = np.flatnonzero(source.mask), rows[target.mask[rows]]
    if not len(rows) or not len(columns):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    found = [_overlaps_with(source.corners[columns], *piece) for piece in _convex_pieces(target, rows)]
    row = np.concatenate([f[0] for f in found])
    col = columns[np.concatenate([f[1] for f in found])]
    row, col, area = coalesce(row, col, np.concatenate([f[2] for f in found]))
    real = area > SLIVER * np.minimum(target.polygon_area[row], source.polygon_area[col])
    return row[real], col[real], area[real]


def _overlaps_with(subjects: Array, clips: Array, number: Index, sign: float) -> Entries:
    i, j = touching(Caps.around(clips), Caps.around(subjects))
    area = np.zeros(len(i))
    for start in range(0, len(i), clip.CHUNK):
        part = slice(start, start + clip.CHUNK)
        area[part] = clip.overlaps(subjects[j[part]], clips[i[part]])
    some = area > 0
    return number[i[some]], j[some], sign * area[some]


def _convex_pieces(target: Grid, rows: Index) -> list[tuple[Array, Index, float]]:
    """Return convex polygons, the target cell of each, and the sign with which it counts.

    A cell that is not convex becomes the fan of triangles about its first corner; those that turn
    clockwise lie outside or are counted twice by others, and are taken away again.
    """
    corners = target.corners[rows]
    plain = clip.convex(corners)
    pieces = [(corners[plain], rows[plain], 1.0)] if plain.any() else []
    for k in range(1, corners.shape[1] - 1):
        triangles = corners[~plain][:, [0, k, k + 1]]
        pieces += _signed(triangles, rows[~plain])
    return pieces


def _signed(triangles: Array, rows: Index) -> list[tuple[Array, Index, float]]:
    turn = sphere.polygon_areas(triangles)
    left, right = turn > 0, turn < 0
    out = [(triangles[left], rows[left], 1.0), (triangles[right][:, ::-1], rows[right], -1.0)]
    return [piece for piece in out if len(piece[1])]


def dstarea(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weights ``A_ij / A_i`` and the covered fractions ``f_i``, shape ``(n_target,)``."""
    row, col, area = overlap_areas(source, target, rows)
    value = area / target.polygon_area[row]
    frac = np.bincount(row, weights=value, minlength=target.size)
    covered = frac > COVERED
    kept = covered[row]
    return (row[kept], col[kept], value[kept]), np.where(covered, frac, 0.0)


def fracarea(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weights ``A_ij / (A_i f_i)``, whose rows sum to 1, and the covered fractions ``f_i``."""
    (row, col, value), frac = dstarea(source, target, rows)
    return (row, col, value / frac[row]), frac
