"""Means over several cells, weighted by their areas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from tradewind.couplers.assimilation.places import Distance, to_straight
from tradewind.couplers.grids import Grid, sphere
from tradewind.errors import DataError
from tradewind.plugins.observations.reading.netcdf import find, opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Indices: TypeAlias = NDArray[np.int64]

LABELS = "region"
"""Name of the labels in a file of regions."""


def round_means(grid: Grid, lon: Array, lat: Array, radius: float) -> sparse.csr_array:
    """Return the weights of the active cells whose centres lie within `radius` km of each place.

    The row of a place without such cells is empty.
    """
    cells = np.flatnonzero(grid.mask)
    tree = cKDTree(sphere.unit_vectors(grid.lon.reshape(-1)[cells], grid.lat.reshape(-1)[cells]))
    places = sphere.unit_vectors(lon, lat)
    found: Any = tree.query_ball_point(places, to_straight(radius, Distance.KM), return_sorted=True)
    near: Sequence[list[int]] = found
    row = np.repeat(np.arange(len(lon)), [len(around) for around in near])
    column = cells[np.concatenate([np.zeros(0), *near]).astype(np.int64)]
    return _means(row, column, len(lon), grid)


def regional_means(grid: Grid, file: Path, label: Array) -> sparse.csr_array:
    """Return the weights of the active cells of each region in `label`, shape ``(k,)``.

    Parameters
    ----------
    file
        With a variable ``region``, a whole number for each cell of the grid.

    Raises
    ------
    DataError
        When it cannot be read, or is of another size.
    """
    with opened(file) as ds:
        labels = np.asarray(find(ds, LABELS, str(file)).values, dtype=np.float64).reshape(-1)
    if len(labels) != grid.size:
        raise DataError(f"{len(labels)} labels for {grid.size} cells", where=f"{file}, {LABELS}")
    row, column = np.nonzero((label[:, None] == labels) & grid.mask.reshape(-1))
    return _means(row, column, len(label), grid)


def _means(row: Indices, column: Indices, m: int, grid: Grid) -> sparse.csr_array:
    area = np.asarray(grid.area, dtype=np.float64).reshape(-1)[column]
    total = np.bincount(row, area, minlength=m)[row]
    return sparse.csr_array((area / total, (row, column)), shape=(m, grid.size))
