"""A plume and a footprint on the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.output.fit import array, observed_units
from tradewind.output.report.fields import Layer, is_map, shown
from tradewind.output.report.lines import Picture
from tradewind.output.report.maps import Scale, degrees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid
    from tradewind.findings.plumes import Footprint, Plume
    from tradewind.results import ControlledField, InversionResult

    Array: TypeAlias = NDArray[np.float64]

ROOM = 0.01
"""Fraction of the greatest value beyond which a map is cut out around a plume."""
MARGIN = 3
"""Cells around what is cut out."""


def example_pictures(result: InversionResult) -> Iterator[Picture]:
    """Draw the plume of the strongest source, and the footprint of the observation that sees most."""
    found = result.examples
    if found is None:
        return
    if found.plume is not None:
        yield from _plume(found.plume, result)
    if found.footprint is not None:
        yield from _footprint(found.footprint, result)


def _plume(plume: Plume, result: InversionResult) -> Iterator[Picture]:
    units, name = observed_units(result), element_name(result, plume.element)
    when = f"{plume.window.stop:%Y-%m-%d %H:%M}"
    caption = f"What {plume.port or 'is observed'} gains where x of {name} is raised by one; {when}. "
    if plume.field is None or not is_map(plume.grid):
        return
    grid, values = around(plume.grid, array(plume.field), _dot(result, plume.element))
    scale = Scale.sequential(values, colours="viridis")
    places = _places(plume)
    dots = "Dots: observations of that window." if places is not None else ""
    yield shown("A source's plume", Layer(grid, values), units, scale, f"{caption}{dots}", places)


def _places(plume: Plume) -> tuple[Array, Array] | None:
    names = ("longitude", "latitude")
    if any(name not in plume.coordinates for name in names):
        return None
    lon, lat = (np.asarray(plume.coordinates[name], dtype=np.float64) for name in names)
    return lon, lat


def _dot(result: InversionResult, element: int) -> tuple[float, float] | None:
    """Return the place of an element: the mean of its cells."""
    for field in result.fields:
        cells = array(field.element) == element
        if field.grid is not None and cells.ndim == 1 and cells.any():
            return float(field.grid.lon[cells].mean()), float(field.grid.lat[cells].mean())
    return None


def _footprint(footprint: Footprint, result: InversionResult) -> Iterator[Picture]:
    row, units = array(footprint.row), observed_units(result)
    several = len(result.fields) > 1
    for field in result.fields:
        values = over_cells(row, field)
        if values is None or not is_map(field.grid) or not np.isfinite(values).any():
            continue
        of = f" in {field.port}" if several else ""
        lon, lat = (footprint.place.get(name) for name in ("longitude", "latitude"))
        place = None if lon is None or lat is None else (np.array([float(lon)]), np.array([float(lat)]))
        caption = f"How one observation{_where(footprint)} answers to x of each element raised by one."
        scale = Scale.sequential(values, colours="viridis")
        yield shown(
            f"An observation's footprint{of}", Layer(field.grid, values), units, scale, caption, place
        )


def over_cells(row: Array, field: ControlledField) -> Array | None:
    """Return a vector of x on the cells of a field, NaN without element; None where it has extra axes."""
    element = array(field.element)
    if element.ndim != 1:
        return None
    return np.where(element >= 0, row[np.clip(element, 0, None)], np.nan)


def _where(footprint: Footprint) -> str:
    lon, lat = (footprint.place.get(name) for name in ("longitude", "latitude"))
    at = (
        ""
        if lon is None or lat is None
        else f" at {degrees(round(float(lat), 2), 'NS')} {degrees(round(float(lon), 2), 'EW')}"
    )
    return f"{at}, {footprint.window.stop:%Y-%m-%d %H:%M},"


def element_name(result: InversionResult, element: int) -> str:
    """Return what an element is called."""
    return result.elements[element] if result.elements else f"element {element}"


def around(grid: Grid | None, values: Array, place: tuple[float, float] | None) -> tuple[Grid | None, Array]:
    """Return the part of a rectilinear grid that a plume fills, with a margin; all of it where it is another.

    Parameters
    ----------
    place
        Of the source, which stays within.
    """
    from tradewind.couplers.grids.grid import Grid as Cells
    from tradewind.couplers.grids.grid import GridKind

    if grid is None or grid.kind is not GridKind.LATLON or grid.lon_corners is None:
        return grid, values
    shaped = np.abs(values.reshape(grid.shape))
    seen = shaped > ROOM * shaped.max()
    if place is not None:
        away = (grid.lon - place[0]) ** 2 + (grid.lat - place[1]) ** 2
        seen.reshape(-1)[int(away.argmin())] = True
    rows, columns = (_span(seen.any(axis=axis)) for axis in (1, 0))
    lat, lon = grid.lat.reshape(grid.shape)[rows, 0], grid.lon.reshape(grid.shape)[0, columns]
    return Cells.latlon(lat, lon), values.reshape(grid.shape)[rows, columns].reshape(-1)


def _span(seen: NDArray[np.bool_]) -> slice:
    found = np.flatnonzero(seen)
    if not len(found):
        return slice(0, len(seen))
    return slice(max(int(found[0]) - MARGIN, 0), int(found[-1]) + 1 + MARGIN)
