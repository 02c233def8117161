"""What can be wrong with coordinates; each fault is named in a `GridError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import sphere
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]


def degrees(values: ArrayLike, name: str) -> Array:
    """Return coordinates as float64, refusing NaN, infinities and what is no number."""
    try:
        out = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GridError(f"is not numeric: {error}", where=name) from error
    if out.size == 0:
        raise GridError("is empty", where=name)
    bad = ~np.isfinite(out)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise GridError(f"{bad.sum()} of {out.size} values are not finite, the first at {first}", where=name)
    return out


def coordinates(lon: ArrayLike, lat: ArrayLike, where: str) -> tuple[Array, Array]:
    """Return longitudes and latitudes of centres or nodes in degrees after the checks of any grid."""
    x, y = angles(lon, lat, where)
    within = np.abs(y).max() <= np.pi / 2 + 1e-9 and np.abs(x).max() <= 2 * np.pi + 1e-9
    # a small region about (0, 0) is within as well, but only radians reach around the globe and to both poles
    if within and np.ptp(x) > 0.85 * 2 * np.pi and np.ptp(y) > 0.7 * np.pi:
        raise GridError("coordinates look like radians", where=where, hint="convert with numpy.rad2deg")
    return x, y


def angles(lon: ArrayLike, lat: ArrayLike, where: str) -> tuple[Array, Array]:
    """Return longitudes and latitudes as float64, refusing what lies beyond a pole or cannot be degrees."""
    x, y = degrees(lon, f"{where} longitude"), degrees(lat, f"{where} latitude")
    beyond = np.abs(y) > 90.0 + 1e-9
    if beyond.any():
        raise GridError(
            f"latitude {y[beyond].flat[0]:g} lies beyond a pole",
            where=where,
            hint="are longitude and latitude swapped, or is this a projection in metres?",
        )
    if np.abs(x).max() > 720.0:
        raise GridError(f"longitude {x.flat[np.abs(x).argmax()]:g} is not in degrees", where=where)
    return x, np.clip(y, -90.0, 90.0)


def axis(values: Array, where: str, period: float | None = None) -> Array:
    """Return a 1-D coordinate unwrapped to be monotonic; refuses duplicates and disorder.

    With `period` (360 for longitudes), jumps across the date line or Greenwich are no disorder.
    """
    if values.ndim != 1:
        raise GridError(f"expected one dimension, got shape {values.shape}", where=where)
    steps = np.diff(values)
    if period:
        steps = (steps + period / 2) % period - period / 2
    if len(steps) and not (np.all(steps > 0) or np.all(steps < 0)):
        raise GridError(*_disorder(values, period), where=where)
    out = values[0] + np.concatenate([[0.0], np.cumsum(steps)])
    if period and np.ptp(out) >= period - 1e-9:
        raise GridError(f"{values[0]:g} and {values[-1]:g} are duplicated longitudes", where=where)
    # keep the digits of the file wherever there is nothing to unwrap
    return values if np.allclose(out, values, rtol=0, atol=1e-9) else out


def _disorder(values: Array, period: float | None) -> tuple[str]:
    wrapped = values % period if period else values
    unique, counts = np.unique(np.round(wrapped, 9), return_counts=True)
    if (counts > 1).any():
        return (f"{unique[counts > 1][0]:g} is duplicated",)
    return ("values are neither increasing nor decreasing",)


def polygons(corners: Array, where: str) -> None:
    """Refuse cells without area and cells whose sides cross."""
    if sphere.bow_ties(corners).any():
        cell = int(np.argmax(sphere.bow_ties(corners)))
        raise GridError(
            f"the sides of cell {cell} cross (a bow-tie)", where=where, hint="reorder its corners"
        )
    area = np.abs(sphere.polygon_areas(corners))
    if (area < 1e-15).any():
        raise GridError(f"cell {int(np.argmin(area))} has no area", where=where, hint="check its corners")


def per_cell(values: ArrayLike | None, shape: tuple[int, ...], where: str) -> NDArray[np.generic] | None:
    """Return a flat value per cell (mask, area), refusing another shape than the grid's."""
    if values is None:
        return None
    out = np.asarray(values)
    if out.shape != shape and out.shape != (int(np.prod(shape)),):
        raise GridError(f"shape {out.shape} is not the grid's {shape}", where=where)
    return out.reshape(-1)


def areas(values: NDArray[np.generic], where: str) -> Array:
    """Return areas as float64, refusing any that is not positive."""
    out = degrees(values, f"{where} area")
    if (out <= 0).any():
        raise GridError(f"area of cell {int(np.argmin(out))} is not positive", where=where)
    return out
