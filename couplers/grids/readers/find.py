"""Which convention a file follows: found out by what is in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.grids.readers import cf, esmf_mesh, gridspec, scrip, ugrid
from tradewind.couplers.grids.readers.wanted import Wanted
from tradewind.errors import DataError, GridError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

    Reader: TypeAlias = Callable[[xr.Dataset, Wanted], Grid]

WEIGHTS = ({"S", "row", "col"}, {"remap_matrix", "dst_address", "src_address"})


def from_file(path: Path, wanted: Wanted) -> Grid:
    """Read the grid of a netCDF file; see `Grid.from_file`."""
    import xarray as xr

    if not path.is_file():
        raise DataError("no such file", where=str(path))
    try:
        with xr.open_dataset(path, decode_times=False) as ds:
            if gridspec.is_mosaic(ds):
                return gridspec.from_mosaic(ds, path, wanted)
            return from_dataset(ds, wanted)
    except GridError as error:
        where = ", ".join(filter(None, (str(path), error.where)))
        raise GridError(error.what, where=where, hint=error.hint) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"cannot be read as netCDF: {error}", where=str(path)) from error


def from_dataset(ds: xr.Dataset, wanted: Wanted) -> Grid:
    """Read the grid of a dataset; see `Grid.from_dataset`."""
    if any(names <= set(ds.variables) for names in WEIGHTS):
        hint = 'use Grid.from_map_file(path, "source") or "target"'
        raise GridError("is a weight file, with two grids", where="dataset", hint=hint)
    return _reader(ds)(ds, wanted)


def _reader(ds: xr.Dataset) -> Reader:
    if ugrid.topologies(ds):
        return ugrid.from_dataset
    if set(ds.variables) >= scrip.CENTRES:
        return scrip.from_dataset
    if set(ds.variables) >= esmf_mesh.NODES:
        return esmf_mesh.from_dataset
    if gridspec.is_mosaic(ds):
        hint = "open the mosaic with Grid.from_file: its tiles lie in files of their own"
        raise GridError("is a GRIDSPEC mosaic", where="dataset", hint=hint)
    return gridspec.from_dataset if gridspec.is_tile(ds) else cf.from_dataset


def to_dataset(grid: Grid, convention: str) -> xr.Dataset:
    """Write a grid; see `Grid.to_dataset`."""
    if convention not in WRITERS:
        hint = did_you_mean(convention, WRITERS)
        raise GridError(f"no convention {convention!r} to write", where=repr(grid), hint=hint)
    return WRITERS[convention](grid)


WRITERS: dict[str, Callable[[Grid], xr.Dataset]] = {"cf": cf.to_dataset, "ugrid": ugrid.to_dataset}
