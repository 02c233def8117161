"""What a user may say about a file whose grid is read, and what all conventions do with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.grids import checks, sphere
from tradewind.couplers.grids.grid import Grid
from tradewind.errors import GridError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]

EARTH = 6.37122e6
"""Metres: the radius that ESMF and CESM divide areas by."""
STERADIAN = {"sr", "steradian", "steradians", "rad2", "radian2", "radians2", "squareradians", "squareradian"}
SQUARE_METRES = {
    **dict.fromkeys(("m2", "meter2", "meters2", "metre2", "metres2", "squaremeters", "squaremetres"), 1.0),
    **dict.fromkeys(("km2", "kilometer2", "squarekilometers", "squarekilometres"), 1e6),
    **dict.fromkeys(("cm2", "centimeter2", "centimeters2", "squarecentimeters"), 1e-4),
}
RADII = ("earth_radius", "sphere_radius", "planet_radius", "radius")


@dataclass(frozen=True)
class Wanted:
    """What of a file is asked for.

    Attributes
    ----------
    name
        A variable whose grid is meant where a file has several: data on it, one of its coordinates, a
        mesh topology, or a tile of a mosaic.
    mask
        Active cells, or the name of a variable that has them; goes before what the file itself says.
    radius
        Metres by which areas are divided that are not in steradian.
    """

    name: str | None = None
    mask: ArrayLike | str | None = None
    radius: float | None = None


def degrees(variable: xr.DataArray, units: str | None = None) -> Array:
    """Return angles in degrees; `units` are those of the coordinate that bounds belong to.

    Raises
    ------
    GridError
        Units that are no angle.
    """
    values = np.asarray(variable.values, dtype=np.float64)
    declared = str(variable.attrs.get("units") or units or "degrees").lower()
    if declared.startswith("rad"):
        return np.rad2deg(values)
    if declared.startswith(("deg", "°")):
        return values
    raise GridError(f"units {declared!r} are no angle", where=f"variable {variable.name!r}", hint="degrees")


def missing(ds: xr.Dataset, name: str, what: str) -> xr.DataArray:
    """Return a variable that another one names.

    Raises
    ------
    GridError
        When it is not there.
    """
    if name not in ds.variables:
        hint = did_you_mean(name, map(str, ds.variables))
        raise GridError(f"variable {name!r} is missing", where=what, hint=hint)
    return ds[name]


def mask_of(ds: xr.Dataset, dims: tuple[str, ...], wanted: Wanted, usual: str = "mask") -> Any:
    """Return the mask that is asked for, else that of the file's variable `usual` if it is there, or None.

    Raises
    ------
    GridError
        When the variable that is asked for is missing, or has other dimensions than the grid.
    """
    asked = wanted.mask
    if asked is not None and not isinstance(asked, str):
        return asked
    name = asked or usual
    if asked is None and (name not in ds.variables or set(ds[name].dims) != set(dims)):
        return None
    found = missing(ds, name, "mask")
    if set(found.dims) != set(dims):
        hint = "select one time or level of it"
        raise GridError(f"has dimensions {found.dims}, the grid {dims}", where=f"mask {name!r}", hint=hint)
    return found.transpose(*dims).values


def with_areas(grid: Grid, area: xr.DataArray | None, ds: xr.Dataset, wanted: Wanted) -> Grid:
    """Return a grid with the areas of a file, in steradian; the radius is noted in `Grid.area_note`.

    Areas in m2 or km2 are divided by the square of the radius that is asked for, else of a radius that
    the file names (``earth_radius`` and the like, in an attribute of the file, the area or a grid mapping),
    else of ESMF's and CESM's 6 371 220 m.

    Raises
    ------
    GridError
        Unknown units, areas that are not positive, and areas ten times larger or smaller than the
        polygons, where a wrong unit or radius is sure.
    """
    if area is None:
        return grid
    where = f"variable {area.name!r}"
    factor, note = _steradian(area, ds, wanted)
    raw = np.asarray(area.values, dtype=np.float64) * factor
    values = checks.areas(raw, grid.shape, where, grid.mask)
    if values is not None:
        _refuse_other_size(grid, values, where)
    return replace(grid, given_area=values, area_note=f"{area.name}{note}")


def _steradian(area: xr.DataArray, ds: xr.Dataset, wanted: Wanted) -> tuple[float, str]:
    units = str(area.attrs.get("units", ""))
    plain = units.lower().replace(" ", "").replace("^", "").replace("*", "").replace("_", "")
    if plain in STERADIAN:
        return 1.0, ", steradian"
    if plain not in SQUARE_METRES:
        hint = "sr, m2 or km2"
        raise GridError(f"units {units!r} are no area", where=f"variable {area.name!r}", hint=hint)
    radius, source = _radius(area, ds, wanted)
    return SQUARE_METRES[
        plain
    ] / radius**2, f" in {units}, divided by the square of {radius:.8g} m ({source})"


def _radius(area: xr.DataArray, ds: xr.Dataset, wanted: Wanted) -> tuple[float, str]:
    if wanted.radius is not None:
        return wanted.radius, "given"
    mappings = [v.attrs for v in ds.variables.values() if "grid_mapping_name" in v.attrs]
    for attributes in (area.attrs, *mappings, ds.attrs):
        for name in RADII:
            # some files name a radius without its value
            if isinstance(attributes.get(name), (int, float, np.number)) and attributes[name] > 0:
                metres = float(attributes[name]) * (1000.0 if attributes[name] < 1e5 else 1.0)
                return metres, f"{name} of the file"
    return EARTH, "standard"


def _refuse_other_size(grid: Grid, area: Array, where: str) -> None:
    if not grid.mask.any():
        return
    if grid.has_corners:
        some = np.flatnonzero(grid.mask)[:: max(1, int(grid.mask.sum()) // 10_000)]
        ratio = float(np.median(area[some] / sphere.polygon_areas(grid.corners_of(some))))
    else:
        ratio = max(1.0, float(area[grid.mask].sum()) / (4 * np.pi * 1.01))
    if not 0.1 <= ratio <= 10.0:
        radians = 0.1 <= ratio * (np.pi / 180) ** 2 <= 10.0
        hint = "are the coordinates in radians?" if radians else "check the units, or give the radius"
        raise GridError(f"areas are {ratio:.3g} times those of the cells", where=where, hint=hint)
