"""Grids as a run config names them: by a file, as a box of equal cells, or by their axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tradewind.couplers.grids import Grid
from tradewind.errors import GridError
from tradewind.plugins.prescribed.options import AxisOptions, BoxOptions, GridOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROUNDING = 1e-6
"""Of a cell: a box is a whole number of cells but for this."""


def make_grid(options: GridOptions) -> Grid:
    """Return the grid that `options` name.

    Raises
    ------
    DataError
        When there is no such file.
    GridError
        When the file holds no grid or several, or edges are not a whole number of cells apart.
    """
    if options.file is not None:
        return Grid.from_file(options.file, name=options.variable)
    if options.region is not None and options.spacing is not None:
        return _box(options.region, options.spacing)
    if options.lat is None or options.lon is None:
        raise GridError("a grid needs lat and lon", where="grid")  # the options model refuses it first
    return Grid.latlon(_axis(options.lat, "lat"), _axis(options.lon, "lon"))


def _box(region: BoxOptions, spacing: float) -> Grid:
    # centres are computed as the transport model computes its own: grids are equal to the bit, or not equal
    lat = _edges(region.south, region.north, spacing, "latitude")
    lon = _edges(region.west, region.east, spacing, "longitude")
    return Grid.latlon(0.5 * (lat[1:] + lat[:-1]), 0.5 * (lon[1:] + lon[:-1]))


def _edges(first: float, last: float, spacing: float, what: str) -> Array:
    return first + spacing * np.arange(_cells(last - first, spacing, what) + 1, dtype=np.float64)


def _cells(extent: float, spacing: float, what: str) -> int:
    cells = extent / spacing
    if round(cells) < 1 or abs(cells - round(cells)) > ROUNDING:
        hint = "choose a spacing that divides it"
        raise GridError(
            f"{extent:g} degrees of {what} are no whole number of cells of {spacing:g}",
            where="grid",
            hint=hint,
        )
    return round(cells)


def _axis(said: AxisOptions, name: str) -> Array:
    if said.start is None or said.stop is None or said.step is None:
        return np.array(said.centres, dtype=np.float64)
    ahead = 1.0 if said.stop >= said.start else -1.0
    count = abs(said.stop - said.start) / said.step
    if abs(count - round(count)) > ROUNDING:
        what = f"from {said.start:g} to {said.stop:g} are no whole number of steps of {said.step:g}"
        raise GridError(what, where=f"grid, {name}", hint="both ends are centres of cells")
    return said.start + ahead * said.step * np.arange(round(count) + 1, dtype=np.float64)
