"""Cells that are read at places."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.assimilation.sampling import bilinear_cells, containing_cells
from tradewind.couplers.grids import Grid, sphere
from tradewind.errors import GridError
from tradewind.plugins.observations.options import Sampling
from tradewind.plugins.observations.reading.soundings import Soundings
from tradewind.plugins.observations.sampling.rows import Rows, by_place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

ROUNDING = 1e-9


def sampled(sampling: Sampling, grid: Grid, lon: Array, lat: Array) -> sparse.csr_array:
    """Return the weights of the active cells that are read at each place, shape ``(m, grid.size)``.

    The row of a place outside of the grid is empty.

    Parameters
    ----------
    lon, lat
        Degrees, shape ``(m,)``.

    Raises
    ------
    GridError
        When the grid cannot be sampled in this way.
    """
    if sampling is Sampling.NEAREST:
        return nearest_cells(grid, lon, lat)
    if sampling is Sampling.CELL and not grid.has_corners:
        hint = "use `sampling: nearest`"
        raise GridError("points have no corners, so no place is inside of them", where="sampling", hint=hint)
    return (containing_cells if sampling is Sampling.CELL else bilinear_cells)(grid, lon, lat)


def nearest_cells(grid: Grid, lon: Array, lat: Array) -> sparse.csr_array:
    """Return weight 1 for the active cell whose centre is nearest to each place.

    A place that is farther from it than any two neighbouring centres are from each other is outside.
    """
    cells = np.flatnonzero(grid.mask)
    tree = cKDTree(sphere.unit_vectors(grid.lon.reshape(-1)[cells], grid.lat.reshape(-1)[cells]))
    apart, _ = tree.query(tree.data, k=2)
    far = np.asarray(apart)[:, 1].max() if len(cells) > 1 else np.inf
    away, which = (np.asarray(found) for found in tree.query(sphere.unit_vectors(lon, lat)))
    row = np.flatnonzero(away <= far * (1 + ROUNDING))
    entries = np.ones(len(row)), (row, cells[which[row]])
    return sparse.csr_array(entries, shape=(len(lon), grid.size))


def cells_at(read: Soundings, observed: Observed, sampling: Sampling) -> Rows:
    """Return the cells that are read at the places of observations."""
    grid = observed.layout.grid
    return by_place(lambda lon, lat: sampled(sampling, grid, lon, lat), read.longitude, read.latitude)
