"""Where and when values lie, as CF variables: grids, times, and the attributes that say what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from tradewind.couplers.coupling.time.calendars import time_axis
from tradewind.couplers.grids.grid import GridKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.coupling.time.calendars import Time
    from tradewind.couplers.grids import Grid

    Array: TypeAlias = NDArray[np.float64]

Variables: TypeAlias = "dict[str, xr.Variable]"
SINCE = "seconds since 1970-01-01"
CLOCK = {"units": SINCE, "calendar": "proleptic_gregorian", "dtype": "float64"}
NO_FILL = {"_FillValue": None}
COORDINATES = {
    "lat": {"standard_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "units": "degrees_east"},
}
AXES = {"lat": "Y", "lon": "X"}
STANDARD_NAMES = {"time": "time", "latitude": "latitude", "longitude": "longitude"}


def variable(
    dims: str | Sequence[str], values: Any, units: str, long_name: str, comment: str = "", **more: str
) -> xr.Variable:
    """Return a variable with those of its attributes that are not empty."""
    attrs = {"long_name": long_name, "units": units, "comment": comment} | more
    return xr.Variable(dims, values, {k: v for k, v in attrs.items() if v})


# ---------------------------------------------------------------------- times
def times(moments: Iterable[Time]) -> NDArray[Any]:
    """Return moments of model time as xarray writes them, shape ``(time,)``; aware ones become UTC."""
    return time_axis(_utc(moment) for moment in moments)


def _utc(moment: Time) -> Time:
    aware = isinstance(moment, datetime) and moment.tzinfo is not None
    return moment.astimezone(UTC).replace(tzinfo=None) if aware else moment


def clock(values: NDArray[Any]) -> dict[str, str]:
    """Return how times are encoded: as float64 seconds, in their own calendar."""
    if values.dtype == object and values.size:
        return CLOCK | {"calendar": str(values.flat[0].calendar)}
    return dict(CLOCK)


def periods(name: str, dim: str, intervals: Sequence[Interval], long_name: str) -> Variables:
    """Return the ends of intervals as a time variable `name` along `dim`, and their bounds."""
    edges = times(moment for i in intervals for moment in (i.start, i.stop)).reshape(-1, 2)
    attrs = {"standard_name": "time", "long_name": long_name, "bounds": f"{name}_bnds"}
    how = clock(edges)
    return {
        name: xr.Variable(dim, edges[:, 1], attrs, encoding=dict(how)),
        f"{name}_bnds": xr.Variable((dim, "bnds"), edges, encoding=dict(how)),
    }


def places(coordinates: Mapping[str, NDArray[Any]]) -> Variables:
    """Return where and when the observations were made, along ``observation``."""
    units = {"latitude": "degrees_north", "longitude": "degrees_east"}
    out: Variables = {}
    for name, values in coordinates.items():
        attrs = {"long_name": f"{name} of the observation", "standard_name": STANDARD_NAMES.get(name, "")}
        attrs |= {"units": units.get(name, "")}
        encoding = clock(values) if values.dtype.kind in "MO" else {}
        kept = {k: v for k, v in attrs.items() if v}
        out[f"observation_{name}"] = xr.Variable("observation", values, kept, encoding=encoding)
    return out


# ---------------------------------------------------------------------- grids
def dimensions(grid: Grid, suffix: str = "") -> tuple[str, ...]:
    """Return the dimensions of a grid in a file that may hold several, told apart by `suffix`."""
    return tuple(f"{dim}{suffix}" for dim in grid.dims)


def auxiliary_names(grid: Grid, suffix: str = "") -> str:
    """Return the names for a variable's attribute ``coordinates``; empty where dimensions say it all."""
    return "" if grid.kind is GridKind.LATLON else f"lat{suffix} lon{suffix}"


def grid_coordinates(grid: Grid, suffix: str = "") -> Variables:
    """Return latitudes and longitudes of a grid and, where it has corners, their bounds."""
    sides = (("lat", grid.lat, grid.lat_corners), ("lon", grid.lon, grid.lon_corners))
    out: Variables = {}
    for side, centres, corners in sides:
        if grid.kind is GridKind.LATLON:
            out |= _axis(side, suffix, (centres, corners), grid.shape)
        else:
            out |= _auxiliary(side, suffix, (centres, corners), grid)
    return out


def _axis(side: str, suffix: str, values: tuple[Array, Array | None], shape: tuple[int, ...]) -> Variables:
    """Return one coordinate of a rectilinear grid and its bounds: along the first column or row."""
    centres, corners = values
    name, along = f"{side}{suffix}", slice(None, None, shape[1]) if side == "lat" else slice(shape[1])
    attrs = COORDINATES[side] | {"axis": AXES[side]}
    out: Variables = {name: xr.Variable(name, centres[along], attrs, encoding=dict(NO_FILL))}
    if corners is None:
        return out
    edges = np.stack([corners[along].min(1), corners[along].max(1)], axis=1)
    return out | _bounds(out[name], name, _ordered(edges, centres[along]), "bnds")


def _auxiliary(side: str, suffix: str, values: tuple[Array, Array | None], grid: Grid) -> Variables:
    """Return one coordinate of a grid whose cells each have their own, and its corners."""
    centres, corners = values
    name, dims = f"{side}{suffix}", dimensions(grid, suffix)
    shaped = centres.reshape(grid.shape)
    out: Variables = {name: xr.Variable(dims, shaped, dict(COORDINATES[side]), encoding=dict(NO_FILL))}
    if corners is None:
        return out
    return out | _bounds(out[name], name, corners.reshape(*grid.shape, -1), f"vertex{suffix}")


def _bounds(of: xr.Variable, name: str, values: Array, dim: str) -> Variables:
    of.attrs["bounds"] = f"{name}_bnds"
    return {f"{name}_bnds": xr.Variable((*of.dims, dim), values, encoding=dict(NO_FILL))}


def _ordered(bounds: Array, centres: Array) -> Array:
    # CF: bounds run the way the coordinate runs
    return bounds[:, ::-1] if len(centres) > 1 and centres[1] < centres[0] else bounds
