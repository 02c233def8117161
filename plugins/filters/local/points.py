"""The points that are analysed: cells of a layout, groups of them, or places of observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.filters.local.neighbours import placed
from tradewind.plugins.filters.options import Localization

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Points:
    """Points to be analysed, in the order of the cells that they stand for.

    Attributes
    ----------
    places
        Of every cell that counts for a distance, shape ``(k, 3)``.
    groups
        Where each point begins in `places`, shape ``(points + 1,)``.
    which
        Point of each of this rank's cells, ascending, shape ``(cells,)``.
    """

    places: Array
    groups: Index
    which: Index

    def __len__(self) -> int:
        return len(self.groups) - 1

    def cells(self, first: int, last: int) -> slice:
        """Return the cells that points from `first` to before `last` stand for."""
        start, stop = np.searchsorted(self.which, [first, last])
        return slice(int(start), int(stop))


def at(longitude: Array, latitude: Array, localization: Localization) -> Points:
    """Return a point for each place."""
    numbers = np.arange(len(longitude) + 1)
    return Points(placed(longitude, latitude, localization), numbers, numbers[:-1])


def of(layout: Layout, localization: Localization, together: int) -> Points:
    """Return a point for each `together` cells of a grid, by their number, of which this rank owns some.

    Cells that belong to other ranks count for distances too: groups do not depend on the ranks.
    """
    grid = layout.grid
    if together == 1:
        return at(grid.lon[layout.owned], grid.lat[layout.owned], localization)
    groups, which = np.unique(layout.owned // together, return_inverse=True)
    stops = np.minimum((groups + 1) * together, layout.n_global)
    sizes = stops - groups * together
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    cells = np.arange(starts[-1]) - np.repeat(starts[:-1] - groups * together, sizes)
    return Points(placed(grid.lon[cells], grid.lat[cells], localization), starts, which.astype(np.int64))
