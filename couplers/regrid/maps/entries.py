"""The entries of a weight file: rows, columns and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.regrid.maps import netcdf
from tradewind.couplers.regrid.maps.layouts import ENTRIES, EntryNames, MapLayout, grid_names
from tradewind.couplers.regrid.weights.triplets import Triplets, coalesce
from tradewind.errors import DataError

if TYPE_CHECKING:
    from netCDF4 import Dataset
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

FILL = 9e36
"""netCDF's fill values are larger: what was never written."""


def layout_of(ds: Dataset) -> MapLayout:
    """Return the layout of a weight file.

    Raises
    ------
    DataError
        When it is none; the variables that were looked for are named.
    """
    for layout, names in ENTRIES.items():
        if names.value in ds.variables:
            return layout
    looked = " nor ".join(f"{n.row}, {n.col}, {n.value} ({k})" for k, n in ENTRIES.items())
    raise DataError(f"has neither {looked}", where=ds.filepath(), hint=netcdf.ADVICE)


def attributes(ds: Dataset) -> dict[str, str]:
    """Return the global attributes as text."""
    return {name: str(ds.getncattr(name)) for name in ds.ncattrs()}


def read(ds: Dataset, layout: MapLayout) -> Triplets:
    """Return the weights; repeated (row, column) pairs are added up.

    Raises
    ------
    DataError
        Missing variables, lengths that differ, cells that the grids do not have, values that are no
        numbers, or weights of gradients without which a map cannot be applied.
    """
    names = ENTRIES[layout]
    row, col = (np.asarray(netcdf.values(ds, n), dtype=np.int64) - 1 for n in (names.row, names.col))
    value = _first_order(ds, names)
    if not len(row) == len(col) == len(value):
        what = f"{len(row)} rows, {len(col)} columns and {len(value)} weights"
        raise DataError(what, where=ds.filepath(), hint="is the file cut off?")
    sizes = [size(ds, grid_names(layout, side).size) for side in ("target", "source")]
    for index, n in zip((row, col), sizes, strict=True):
        _refuse_strangers(index, n, ds)
    _refuse_no_numbers(value, ds)
    entries = (row, col, value) if _in_order(row, col) else coalesce(row, col, value)
    return Triplets(*entries, _frac_target(ds, layout, entries, sizes[0]), sizes[1])


def size(ds: Dataset, name: str) -> int:
    """Return the length of a dimension.

    Raises
    ------
    DataError
        When there is none of that name.
    """
    if name not in ds.dimensions:
        raise DataError(f"dimension {name!r} is missing", where=ds.filepath(), hint=netcdf.ADVICE)
    return len(ds.dimensions[name])


def _first_order(ds: Dataset, names: EntryNames) -> Array:
    value = netcdf.floats(ds, names.value)
    if value.ndim == 1:
        return value
    # SCRIP's conservative maps add two weights of gradients, without which they are of first order;
    # its bicubic maps add three, and are nothing without them
    if value.shape[1] > 3:
        what = f"{value.shape[1]} weights an entry belong to fields and their gradients (bicubic)"
        raise DataError(what, where=ds.filepath(), hint="make the map with another method")
    return np.ascontiguousarray(value[:, 0])


def _frac_target(ds: Dataset, layout: MapLayout, entries: tuple[Index, Index, Array], n: int) -> Array:
    name = grid_names(layout, "target").frac
    if name in ds.variables:
        return netcdf.floats(ds, name).reshape(-1)
    reached = np.zeros(n)
    reached[entries[0]] = 1.0
    return reached


def _refuse_strangers(index: Index, n: int, ds: Dataset) -> None:
    if index.size and (index.min() < 0 or index.max() >= n):
        what = f"entries name cells {index.min() + 1}..{index.max() + 1} of {n}"
        raise DataError(what, where=ds.filepath(), hint="cells count from 1")


def _refuse_no_numbers(value: Array, ds: Dataset) -> None:
    bad = ~(np.abs(value) < FILL)
    if bad.any():
        what = f"{int(bad.sum())} of {len(value)} weights are no numbers, the first of entry"
        raise DataError(f"{what} {int(np.argmax(bad)) + 1}", where=ds.filepath())


def _in_order(row: Index, col: Index) -> bool:
    """Whether entries come by row, then column, each pair once: then there is nothing to add up."""
    down, right = np.diff(row), np.diff(col)
    return bool(((down > 0) | ((down == 0) & (right > 0))).all())


def write(ds: Dataset, weights: Triplets, layout: MapLayout) -> None:
    """Write rows, columns and weights; indices count from 1."""
    names = ENTRIES[layout]
    ds.createDimension(names.size, len(weights.row))
    netcdf.put(ds, names.row, (names.size,), netcdf.indices(weights.row))
    netcdf.put(ds, names.col, (names.size,), netcdf.indices(weights.col))
    if names.second is None:
        netcdf.put(ds, names.value, (names.size,), weights.value)
        return
    ds.createDimension(names.second, 1)
    netcdf.put(ds, names.value, (names.size, names.second), weights.value[:, None])


def write_fraction(ds: Dataset, name: str, dimension: str, frac: NDArray[Any]) -> None:
    """Write how much of each cell takes part."""
    netcdf.put(ds, name, (dimension,), frac, "unitless")
