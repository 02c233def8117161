"""Creep: unmapped targets take the mean of their mapped neighbours, level after level, as in ESMF.

Neighbours are centres joined by a side of the target's own elements (see `elements`): four on a grid of
rows and columns. A target of level l takes the mean of its neighbours of level l - 1; those of level 0 are
mapped by the method itself. Masked targets neither take nor give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

from tradewind.couplers.grids.grid import GridKind
from tradewind.couplers.regrid.weights.points.elements import between_centres, sides
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Entries: TypeAlias = tuple[Index, Index, Array]
    Maker: TypeAlias = Callable[[Index], tuple[Entries, Array]]

UNREACHED = -1
"""Level of a target to which nothing has crept."""


def crept(source: Grid, target: Grid, rows: Index, levels: int, make: Maker) -> tuple[Entries, Flags]:
    """Return the entries of a method with creep, and which of the targets are filled by it.

    The rows of neighbours are made too, as far as what was asked for depends on them.

    Raises
    ------
    GridError
        When the target's cells have no neighbours.
    """
    if target.kind is GridKind.POINTS:
        raise GridError(
            "creep extrapolation needs neighbours, and points have none",
            where=f"target {target!r}",
            hint="extrapolate by NearestSource or InverseDistance",
        )
    entries, mapped = make(rows)
    missing = rows[target.mask[rows] & (mapped[rows] == 0)]
    if len(missing) == 0:
        return entries, np.zeros(target.size, dtype=bool)
    near, corners = _within(between_centres(target), _flags(target.size, missing), levels)
    wanted = near & target.mask | _flags(target.size, rows)
    (row, col, value), mapped = make(np.flatnonzero(wanted))
    weights = sparse.csr_array((value, (row, col)), shape=(target.size, source.size))
    level = np.where(mapped > 0, 0, UNREACHED)
    weights = _filled(weights, level, _links(corners, wanted & target.mask), levels)
    asked = _flags(target.size, rows)
    return _entries_of(weights, asked), asked & (level > 0)


def _flags(size: int, cells: Index) -> Flags:
    out = np.zeros(size, dtype=bool)
    out[cells] = True
    return out


def _within(corners: Index, near: Flags, levels: int) -> tuple[Flags, Index]:
    """Return the cells within some steps of those that are near, and the elements between them."""
    # behind the last cell stands the one that a triangle does not have
    near = np.append(near, False)
    for _ in range(levels):
        touched = near[corners].any(axis=1)
        near[corners[touched]] = True
        near[-1] = False
    return near[:-1], corners[near[corners].any(axis=1)]


def _links(corners: Index, usable: Flags) -> tuple[Index, Index]:
    """Return the pairs of usable cells at the ends of a side, both ways, each once, in order."""
    a, b = sides(corners)
    both = usable[a] & usable[b]
    pairs = np.unique(a[both] * len(usable) + b[both])
    return pairs // len(usable), pairs % len(usable)


def _filled(
    weights: sparse.csr_array, level: Index, links: tuple[Index, Index], levels: int
) -> sparse.csr_array:
    """Return the weights with the rows that creep fills; sets their level."""
    to, donor = links
    for step in range(1, levels + 1):
        here = (level[to] == UNREACHED) & (level[donor] == step - 1)
        if not here.any():
            break
        count = np.bincount(to[here], minlength=len(level))
        share = sparse.csr_array((1.0 / count[to[here]], (to[here], donor[here])), shape=(len(level),) * 2)
        weights = weights + share @ weights
        level[to[here]] = step
    return weights


def _entries_of(weights: sparse.csr_array, asked: Flags) -> Entries:
    weights.sort_indices()
    row = np.repeat(np.arange(len(asked)), np.diff(weights.indptr))
    kept = asked[row]
    return row[kept], weights.indices[kept].astype(np.int64), weights.data[kept]
