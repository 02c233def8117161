"""Grids of ESMF's unstructured mesh files.

Looked for: ``nodeCoords`` (node, 2), ``elementConn`` padded (element, nodes) or ragged (connectionCount),
``numElementConn``; and, if there, ``centerCoords``, ``elementMask`` (0 is inactive), ``elementArea``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.grids.readers.connectivity import counted_from_zero
from tradewind.couplers.grids.readers.wanted import Wanted, degrees, mask_of, missing, with_areas
from tradewind.errors import GridError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

NODES = {"nodeCoords", "elementConn"}
WHERE = "ESMF mesh"
BREAK = -8
"""What ESMF writes between the parts of elements that have several."""


def from_dataset(ds: xr.Dataset, wanted: Wanted) -> Grid:
    """Return the elements of an ESMF mesh.

    Raises
    ------
    GridError
        Missing variables, Cartesian nodes, elements of several parts, or cells that cannot be used.
    """
    count = missing(ds, "numElementConn", WHERE)
    dims = tuple(map(str, count.dims))
    nodes = _pair(ds["nodeCoords"])
    centres = _pair(ds["centerCoords"]) if "centerCoords" in ds.variables else None
    mask = mask_of(ds, dims, wanted, "elementMask")
    grid = Grid.mesh(*nodes, _faces(ds, count), centres=centres, mask=mask)
    return with_areas(replace(grid, dims=dims), ds.get("elementArea"), ds, wanted)


def _pair(variable: xr.DataArray) -> tuple[Array, Array]:
    values = degrees(variable)
    if values.ndim != 2 or values.shape[1] != 2:
        what = f"{variable.name} has shape {values.shape}"
        raise GridError(what, where=WHERE, hint="longitudes and latitudes, (n, 2); not Cartesian")
    return values[:, 0], values[:, 1]


def _faces(ds: xr.Dataset, count: xr.DataArray) -> Index:
    connection, corners = ds["elementConn"], np.asarray(count.values).astype(np.int64)
    index = counted_from_zero(connection, start=1, spared=(BREAK,))
    if (index == BREAK).any():
        raise GridError("elements have several parts", where=WHERE, hint="split them up")
    if index.ndim == 1:
        index = _unravelled(index, corners)
    if index.shape[0] != len(corners) or corners.max() > index.shape[1]:
        what = f"elementConn of shape {connection.shape} for {len(corners)} elements"
        raise GridError(f"{what} of up to {corners.max()} nodes", where=WHERE)
    return np.where(np.arange(index.shape[1]) < corners[:, None], index, -1)


def _unravelled(index: Index, corners: Index) -> Index:
    if int(corners.sum()) != len(index):
        raise GridError(f"{len(index)} connections for {int(corners.sum())} corners", where=WHERE)
    out = np.full((len(corners), int(corners.max())), -1, dtype=np.int64)
    out[np.arange(out.shape[1]) < corners[:, None]] = index
    return out
