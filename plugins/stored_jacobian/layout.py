"""How a Jacobian lies in a netCDF file: sparse, window by window.

======================  ==============================  ===================================================
variable                dimensions                      what
======================  ==============================  ===================================================
``time``, bounds        ``window``                      windows, by their ends; bounds ``(window, bnds)``
``jacobian``            ``entry``                       entries; attributes ``row_units``, ``column_units``
``row``                 ``entry``                       cell of the export, counted from 0
``column``              ``entry``                       cell of the import, counted from 0
``entries``             ``window``                      how many of the entries belong to each window
``known``               ``window, column_cell``         1 where a column is known; left out: all are
``column_lat``, ..lon   ``column_cell``                 centres of the import's cells
``row_lat``, ..lon      ``row_cell``                    centres of the export's cells
======================  ==============================  ===================================================

Instead of entries, ``jacobian`` may have the dimensions ``(window, row_cell, column_cell)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import sparse

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import times_of
from tradewind.couplers.coupling.units import factor
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError
from tradewind.plugins.observations.reading.netcdf import find, opened

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Flags: TypeAlias = NDArray[np.bool_]

NEAR = 1e-3
"""Degrees by which a centre may be off."""
HINT = "write it anew with output: {jacobian: FILE}"


@dataclass(frozen=True)
class Piece:
    """The Jacobian of one window.

    Attributes
    ----------
    matrix
        Shape ``(row_cell, column_cell)``.
    known
        Which columns it knows, shape ``(column_cell,)``.
    """

    interval: Interval
    matrix: sparse.csr_array
    known: Flags


@dataclass(frozen=True)
class Ends:
    """Where a Jacobian leads from, and where to.

    Attributes
    ----------
    given, wanted
        Grids of the import and of the export.
    given_units, wanted_units
        Entries are in units of the export by units of the import.
    """

    given: Grid
    wanted: Grid
    given_units: str
    wanted_units: str


def read(file: Path, ends: Ends) -> tuple[Piece, ...]:
    """Return the pieces of a file, in `units`.

    Raises
    ------
    DataError
        When it cannot be read, lacks something, or is of other grids; entries that are not finite or lie
        nowhere.
    UnitsError
        When its units cannot become those that are wanted.
    """
    with opened(file) as ds:
        ds.load()
        for side, grid in (("column", ends.given), ("row", ends.wanted)):
            _refuse_other_centres(ds, side, grid, str(file))
        scale = _scale(find(ds, "jacobian", str(file)), ends, str(file))
        windows = _windows(ds, file)
        known = _known(ds, len(windows), ends.given.size)
        matrices = _matrices(ds, len(windows), (ends.wanted.size, ends.given.size), str(file))
        return tuple(
            Piece(window, sparse.csr_array(matrix * scale), some)
            for window, matrix, some in zip(windows, matrices, known, strict=True)
        )


def dataset(pieces: tuple[Piece, ...], ends: Ends) -> xr.Dataset:
    """Return pieces as a file holds them."""
    import xarray as xr

    entries = [sparse.coo_array(piece.matrix) for piece in pieces]
    units = {"row_units": ends.wanted_units, "column_units": ends.given_units}
    ones = {
        "jacobian": ("entry", _joined([e.data for e in entries], np.float64), units),
        "row": ("entry", _joined([e.row for e in entries], np.int32)),
        "column": ("entry", _joined([e.col for e in entries], np.int32)),
        "entries": ("window", np.array([e.nnz for e in entries], dtype=np.int64)),
        "known": (("window", "column_cell"), np.array([p.known for p in pieces], dtype=np.int8)),
    }
    centres = {
        f"{side}_{name}": (f"{side}_cell", getattr(grid, name), {"units": f"degrees_{towards}"})
        for side, grid in (("column", ends.given), ("row", ends.wanted))
        for name, towards in (("lat", "north"), ("lon", "east"))
    }
    return xr.Dataset(ones | centres)


def _scale(found: xr.DataArray, ends: Ends, file: str) -> float:
    """Return what turns entries of the file into the model's units."""
    if missing := {"row_units", "column_units"} - found.attrs.keys():
        raise DataError(f"'jacobian' has no attribute {sorted(missing)[0]!r}", where=file, hint=HINT)
    export = factor(str(found.attrs["row_units"]), ends.wanted_units)
    return export / factor(str(found.attrs["column_units"]), ends.given_units)


def _joined(parts: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)


def _windows(ds: xr.Dataset, file: Path) -> tuple[Interval, ...]:
    bounds = find(ds, "time_bnds", str(file))
    edges = times_of(np.asarray(bounds.values).ravel(), str(file))
    return tuple(Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _known(ds: xr.Dataset, windows: int, columns: int) -> Flags:
    if "known" not in ds:
        return np.ones((windows, columns), dtype=bool)
    return np.asarray(ds["known"].values, dtype=bool).reshape(windows, columns)


def _matrices(ds: xr.Dataset, windows: int, shape: tuple[int, int], file: str) -> list[sparse.csr_array]:
    """Return the matrix of each window."""
    values = np.asarray(ds["jacobian"].values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"{int((~np.isfinite(values)).sum())} entries are not finite", where=file, hint=HINT)
    if values.ndim > 1:
        if values.size != windows * shape[0] * shape[1]:
            what = f"entries of shape {values.shape} for {windows} windows of {shape}"
            raise DataError(what, where=file, hint="(window, row_cell, column_cell)")
        return [sparse.csr_array(part) for part in values.reshape(windows, *shape)]
    rows, columns, counts = (np.asarray(find(ds, name, file).values) for name in ("row", "column", "entries"))
    if counts.sum() != len(values) or len(counts) != windows:
        what = f"windows claim {int(counts.sum())} entries, there are {len(values)}"
        raise DataError(what, where=file, hint=HINT)
    for name, numbers, size in (("row", rows, shape[0]), ("column", columns, shape[1])):
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= size):
            raise DataError(f"{name!r} names cells beyond the {size} of its grid", where=file, hint=HINT)
    cuts = np.cumsum(counts)[:-1]
    parts = (np.split(part, cuts) for part in (values, rows, columns))
    return [sparse.csr_array((v, (r, c)), shape=shape) for v, r, c in zip(*parts, strict=True)]


def _refuse_other_centres(ds: xr.Dataset, side: str, grid: Grid, file: str) -> None:
    """Refuse a file whose own cells are not those of the grid."""
    for name, own in (("lat", grid.lat), ("lon", grid.lon)):
        centres = np.asarray(find(ds, f"{side}_{name}", file).values, dtype=np.float64).ravel()
        if len(centres) != grid.size:
            what = f"{side}s of {len(centres)} cells, the model's grid has {grid.size}"
            raise DataError(what, where=file, hint=HINT)
        if np.abs((centres - np.ravel(own) + 180.0) % 360.0 - 180.0).max(initial=0.0) > NEAR:
            raise DataError(f"'{side}_{name}' are not the centres of the model's grid", where=file, hint=HINT)
