"""Weight files in the layout of ESMF's offline tools (SCRIP): the same files, to read and to write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.regrid.weights.triplets import Triplets, coalesce
from tradewind.errors import DataError, GridError

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
    if corners is None:
        return Grid.curvilinear(lon, lat, mask=mask)
    around = tuple(c.reshape(*shape, -1) for c in corners)
    return _rectilinear(lon, lat, around, mask) or Grid.curvilinear(lon, lat, *around, mask=mask)


def _rectilinear(
    lon: Array, lat: Array, corners: tuple[Array, ...], mask: NDArray[np.bool_] | None
) -> Grid | None:
    """Return a latitude-longitude grid if rows and columns follow the axes exactly, else None."""
    x, y = corners[0][0], corners[1][:, 0]
    if corners[0].shape[-1] != 4 or (lon != lon[:1]).any() or (lat != lat[:, :1]).any():
        return None
    sides = [np.stack([side.min(axis=-1), side.max(axis=-1)], axis=-1) for side in (y, x)]
    if any(np.ptp(side, axis=-1).min() == 0 for side in sides):
        return None
    try:
        grid = Grid.latlon(lat[:, 0], lon[0], lat_bounds=sides[0], lon_bounds=sides[1], mask=mask)
    except GridError:
        return None
    found = (grid.lon_corners, grid.lat_corners)
    pairs = zip(found, corners, strict=True)
    return grid if all(_same_corners(np.asarray(a), b) for a, b in pairs) else None


def _same_corners(a: Array, b: Array) -> bool:
    return np.array_equal(np.sort(a, axis=-1), np.sort(b.reshape(a.shape), axis=-1))


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
        value = np.asarray(_values(ds, "S"), dtype=np.float64)
        # SCRIP's own files carry more than one weight an entry; the first is that of first order
        value = value[:, 0] if value.ndim == 2 else value
        frac = np.asarray(_values(ds, "frac_b"), dtype=np.float64)
        attributes = {name: str(ds.getncattr(name)) for name in ds.ncattrs()}
    _refuse_strangers(row, target.size, path)
    _refuse_strangers(col, source.size, path)
    return WeightMap(source, target, Triplets(*coalesce(row, col, value), frac, source.size), attributes)


def _refuse_strangers(index: NDArray[np.int64], n: int, path: Path) -> None:
    if index.size and (index.min() < 0 or index.max() >= n):
        raise DataError(f"entries name cells {index.min() + 1}..{index.max() + 1} of {n}", where=str(path))


def refuse_other_grid(given: Grid, found: Grid, where: str) -> None:
    """Refuse a grid that has not the cells of the one in a file (centres within 1e-6 as chords).

    Raises
    ------
    GridError
        Names both grids.
    """
    same = given.size == found.size and bool(np.abs(given.centres - found.centres).max() < 1e-6)
    if not same:
        raise GridError(f"{given!r} was given, the file has {found!r}", where=where, hint="swapped grids?")


def write_map(path: Path, content: WeightMap) -> None:
    """Write a weight file in the layout of ESMF's offline tools (netCDF-4).

    Angles are in degrees, areas in steradian, indices count from 1, the longitude-like dimension comes
    first in ``*_grid_dims``.
    """
    from netCDF4 import Dataset

    with Dataset(path, "w", format="NETCDF4_CLASSIC") as ds:
        ds.setncatts(
            {"title": "tradewind regridding weights", "conventions": "NCAR-CSM", **content.attributes}
        )
        _write_grid(ds, "source", content.source)
        _write_grid(ds, "target", content.target)
        _write_entries(ds, content)


def _write_grid(ds: Dataset, side: Side, grid: Grid) -> None:
    letter = LETTER[side]
    n, rank = f"n_{letter}", RANK[side].replace("dims", "rank")
    ds.createDimension(n, grid.size)
    ds.createDimension(rank, len(grid.shape))
    _put(ds, RANK[side], (rank,), np.array(grid.shape[::-1], dtype=np.int32))
    _put(ds, f"xc_{letter}", (n,), grid.lon, "degrees")
    _put(ds, f"yc_{letter}", (n,), grid.lat, "degrees")
    _put(ds, f"mask_{letter}", (n,), grid.mask.astype(np.int32), "unitless")
    if grid.lon_corners is not None and grid.lat_corners is not None:
        ds.createDimension(f"nv_{letter}", grid.lon_corners.shape[1])
        _put(ds, f"xv_{letter}", (n, f"nv_{letter}"), grid.lon_corners, "degrees")
        _put(ds, f"yv_{letter}", (n, f"nv_{letter}"), grid.lat_corners, "degrees")
    known = grid.given_area is not None or grid.lon_corners is not None
    _put(ds, f"area_{letter}", (n,), grid.area if known else np.zeros(grid.size), "square radians")


def _write_entries(ds: Dataset, content: WeightMap) -> None:
    weights = content.weights
    ds.createDimension("n_s", len(weights.row))
    _put(ds, "frac_a", ("n_a",), frac_source(content), "unitless")
    _put(ds, "frac_b", ("n_b",), weights.frac_target, "unitless")
    _put(ds, "row", ("n_s",), (weights.row + 1).astype(np.int32))
    _put(ds, "col", ("n_s",), (weights.col + 1).astype(np.int32))
    _put(ds, "S", ("n_s",), weights.value)


def _put(ds: Dataset, name: str, dims: tuple[str, ...], values: NDArray[Any], units: str = "") -> None:
    kind = "i4" if values.dtype.kind == "i" else "f8"
    variable = ds.createVariable(name, kind, dims, compression="zlib", complevel=1)
    if units:
        variable.units = units
    variable[:] = values


def frac_source(content: WeightMap) -> Array:
    """Return how much of each source cell conservative weights carry over, shape ``(n_source,)``.

    ``f_j = Σ_i A_i S_ij / A_j`` with norm dstarea; with fracarea A_i is multiplied by the fraction of
    target i. Zeros for other methods, as in ESMF.
    """
    weights, out = content.weights, np.zeros(content.source.size)
    if not content.attributes.get("map_method", "").startswith("Conservative"):
        return out
    area = content.target.polygon_area[weights.row] * weights.value
    if "frac" in content.attributes.get("normalization", ""):
        area = area * weights.frac_target[weights.row]
    np.add.at(out, weights.col, area)
    return out / content.source.polygon_area
