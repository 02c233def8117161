"""Grids of GRIDSPEC files, as GFDL's models bring them: supergrid tiles, and mosaics of them.

A tile has ``x`` and ``y`` at (2 ny + 1, 2 nx + 1) points: corners at even, centres at odd ones, and ``area``
of the quarter cells. A mosaic names its tiles: ``gridfiles``, ``gridtiles``, ``gridlocation``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.grids.making.arranged import arranged
from tradewind.couplers.grids.making.bounds import quads
from tradewind.couplers.grids.readers.wanted import Wanted, degrees, mask_of, with_areas
from tradewind.errors import DataError, GridError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

WHERE = "GRIDSPEC tile"
DIMS = ("ny", "nx")


def is_mosaic(ds: xr.Dataset) -> bool:
    """Return whether a dataset names tiles in other files."""
    return "gridfiles" in ds.variables


def is_tile(ds: xr.Dataset) -> bool:
    """Return whether a dataset is a supergrid."""
    return {"x", "y"} <= set(ds.variables) and {"nxp", "nyp"} <= set(map(str, ds["x"].dims))


def from_dataset(ds: xr.Dataset, wanted: Wanted) -> Grid:
    """Return the cells of one tile, each made of four cells of the supergrid.

    Raises
    ------
    GridError
        An even number of points, or cells that cannot be used.
    """
    lon, lat = (degrees(ds[name].transpose("nyp", "nxp")) for name in ("x", "y"))
    if lon.shape[0] % 2 == 0 or lon.shape[1] % 2 == 0 or min(lon.shape) < 3:
        what = f"a supergrid of {lon.shape} points"
        raise GridError(what, where=WHERE, hint="(2 ny + 1, 2 nx + 1) points are needed")
    shape = (lon.shape[0] // 2, lon.shape[1] // 2)
    corners = quads(lon[::2, ::2]), quads(lat[::2, ::2])
    centres = lon[1::2, 1::2].reshape(-1), lat[1::2, 1::2].reshape(-1)
    grid = arranged(shape, centres, corners, mask_of(ds, DIMS, wanted))
    return with_areas(grid, _area(ds, shape), ds, wanted)


def _area(ds: xr.Dataset, shape: tuple[int, int]) -> xr.DataArray | None:
    if "area" not in ds.variables:
        return None
    quarters = ds["area"].transpose("ny", "nx")
    if quarters.shape != tuple(2 * n for n in shape):
        raise GridError(f"area of shape {quarters.shape} for {shape} cells", where=WHERE)
    return quarters.coarsen(ny=2, nx=2).sum().assign_attrs(quarters.attrs).rename("area")


def from_mosaic(ds: xr.Dataset, path: Path, wanted: Wanted) -> Grid:
    """Return the tile that is named, else all tiles as one mesh, tile after tile.

    Raises
    ------
    GridError
        No tile of that name, or a mask that is given for several tiles by a name.
    DataError
        When the file of a tile is missing.
    """
    files, names = _texts(ds["gridfiles"]), _tile_names(ds)
    if wanted.name is not None and wanted.name not in names:
        raise GridError(f"no tile {wanted.name!r}", where="mosaic", hint=did_you_mean(wanted.name, names))
    chosen = [f for f, n in zip(files, names, strict=True) if wanted.name in (None, n)]
    one = replace(wanted, name=None) if len(chosen) == 1 else Wanted(radius=wanted.radius)
    tiles = [_tile(_beside(path, ds, f), one) for f in chosen]
    return tiles[0] if len(tiles) == 1 else _joined(tiles, wanted)


def _tile_names(ds: xr.Dataset) -> list[str]:
    return _texts(ds["gridtiles"] if "gridtiles" in ds.variables else ds["gridfiles"])


def _texts(variable: xr.DataArray) -> list[str]:
    values = np.asarray(variable.values).reshape(-1)
    return [(v.decode() if isinstance(v, bytes) else str(v)).strip("\x00 ") for v in values]


def _beside(path: Path, ds: xr.Dataset, name: str) -> Path:
    """Return where a tile lies: beside the mosaic, else where ``gridlocation`` says."""
    location = _texts(ds["gridlocation"])[0] if "gridlocation" in ds.variables else "."
    places = [path.parent / name, path.parent / location / name]
    for place in places:
        if place.is_file():
            return place
    raise DataError(f"tile {name!r} of the mosaic is missing", where=str(path), hint=f"looked at {places[1]}")


def _tile(path: Path, wanted: Wanted) -> Grid:
    import xarray as xr

    with xr.open_dataset(path, decode_times=False) as ds:
        if not is_tile(ds):
            raise GridError("is no supergrid: has no x and y at (nyp, nxp)", where=str(path))
        return from_dataset(ds, wanted)


def _joined(tiles: list[Grid], wanted: Wanted) -> Grid:
    if isinstance(wanted.mask, str):
        raise GridError(
            f"mask {wanted.mask!r} of several tiles", where="mosaic", hint="give an array, or a tile"
        )
    angles = [t.places.angles_of(slice(None)) for t in tiles]
    corners = np.concatenate([a[0] for a in angles]), np.concatenate([a[1] for a in angles])
    centres = np.concatenate([t.lon for t in tiles]), np.concatenate([t.lat for t in tiles])
    mask = np.concatenate([t.mask for t in tiles]) if wanted.mask is None else wanted.mask
    grid = arranged((len(centres[0]),), centres, corners, mask)
    areas = [t.given_area for t in tiles if t.given_area is not None]
    if len(areas) < len(tiles):
        return grid
    return replace(grid, given_area=np.concatenate(areas), area_note=tiles[0].area_note)
