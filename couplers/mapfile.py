"""Weight files in the layout of ESMF's offline tools (SCRIP): the same files, to read and to write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tradewind.couplers.grids import bounds
from tradewind.couplers.grids.grid import Grid, GridKind
from tradewind.couplers.weights.triplets import Triplets, coalesce
from tradewind.errors import DataError

if TYPE_CHECKING:
    from netCDF4 import Dataset
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Side: TypeAlias = Literal["source", "target"]

LETTER = {"source": "a", "target": "b"}
RANK = {"source": "src_grid_dims", "target": "dst_grid_dims"}


@dataclass(frozen=True, eq=False)
class WeightMap:
    """What a weight file holds: two grids, the weights between them, and how they were made."""

    source: Grid
    target: Grid
    weights: Triplets
    attributes: dict[str, str]


def open_file(path: Path) -> Dataset:
    """Open a netCDF file for reading.

    Raises
    ------
    DataError
        When it is missing or damaged.
    """
    from netCDF4 import Dataset

    if not path.is_file():
        raise DataError("no such file", where=str(path))
    try:
        return Dataset(path)
    except OSError as error:
        raise DataError(f"cannot be read as netCDF: {error}", where=str(path)) from error


def _values(ds: Dataset, name: str) -> NDArray[Any]:
    if name not in ds.variables:
        raise DataError(f"variable {name!r} is missing", where=ds.filepath(), hint="is this a weight file?")
    return np.ma.getdata(ds[name][:])


def _angle(ds: Dataset, name: str) -> Array:
    values = np.asarray(_values(ds, name), dtype=np.float64)
    radians = str(getattr(ds[name], "units", "degrees")).lower().startswith("rad")
    return np.rad2deg(values) if radians else values


def read_grid(path: Path, side: Side) -> Grid:
    """Return the source or target grid of a weight file, as rows and columns where it has two dimensions.

    Raises
    ------
    DataError
        When the file is no weight file.
    GridError
        When the grid in it cannot be used.
    """
    if side not in LETTER:
        raise DataError(f"side {side!r}", where=str(path), hint='"source" or "target"')
    with open_file(path) as ds:
        return _grid(ds, side)


def _grid(ds: Dataset, side: Side) -> Grid:
    letter = LETTER[side]
    shape = tuple(int(n) for n in _values(ds, RANK[side])[::-1])
    lon, lat = _angle(ds, f"xc_{letter}"), _angle(ds, f"yc_{letter}")
    mask = _values(ds, f"mask_{letter}") != 0 if f"mask_{letter}" in ds.variables else None
    has_corners = f"xv_{letter}" in ds.variables
    if not has_corners and len(shape) == 1:
        return Grid.points(lon, lat, mask=mask)
    corners = (_angle(ds, f"xv_{letter}"), _angle(ds, f"yv_{letter}")) if has_corners else None
    if len(shape) == 1:
        return _polygons(corners, (lon, lat), mask)
    return _structured(shape, (lon, lat), corners, mask)


def _polygons(corners: Any, centres: tuple[Array, Array], mask: NDArray[np.bool_] | None) -> Grid:
    lon, lat = corners
    faces = np.arange(lon.size).reshape(lon.shape)
    return Grid.mesh(lon.reshape(-1), lat.reshape(-1), faces, centres=centres, mask=mask)


def _structured(
    shape: tuple[int, ...], centres: tuple[Array, Array], corners: Any, mask: NDArray[np.bool_] | None
) -> Grid:
    lon, lat = (c.reshape(shape) for c in centres)
    around = (None, None) if corners is None else tuple(c.reshape(*shape, -1) for c in corners)
    return Grid.curvilinear(lon, lat, *around, mask=mask)


def read_map(path: Path) -> WeightMap:
    """Return grids and weights of a weight file; repeated (row, column) pairs are added up.

    Raises
    ------
    DataError
        When the file is no weight file, or names cells that its grids do not have.
    """
    with open_file(path) as ds:
        source, target = _grid(ds, "source"), _grid(ds, "target")
        row, col = (np.asarray(_values(ds, n), dtype=np.int64) - 1 for n in ("row", "col"))
        value = np.asarray(_values(ds, "S"), dtype=np.float64).reshape(len(row), -1)[:, 0]
        frac = np.asarray(_values(ds, "frac_b"), dtype=np.float64)
        attributes = {name: str(ds.getncattr(name)) for name in ds.ncattrs()}
    _refuse_strangers(row, target.size, path)
    _refuse_strangers(col, source.size, path)
    return WeightMap(source, target, Triplets(*coalesce(row, col, value), frac, source.size), attributes)


def _refuse_strangers(index: NDArray[np.int64], n: int, path: Path) -> None:
    if index.size and (index.min() < 0 or index.max() >= n):
        raise DataError(f"entries name cells {index.min() + 1}..{index.max() + 1} of {n}", where=str(path))
