"""What can be wrong with coordinates and values of cells; each fault is named in a `GridError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]

RADIANS = "convert with numpy.rad2deg"
FILL = 1e10
"""Fill values of models are 1e20, 9.97e36 and the like."""
TICK = 1.0 / 1200.0
"""Degrees: whole numbers of this are 1/3, 1/16, 0.005 and the like, round numbers on which grids are laid."""


def numbers(values: ArrayLike, name: str) -> Array:
    """Return values as float64, a copy, missing ones of masked arrays as NaN; refuses text and emptiness."""
    raw = _array(values, name)
    try:
        plain = np.ma.filled(raw.astype(np.float64), np.nan) if np.ma.isMA(raw) else raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise GridError(f"is not numeric: {error}", where=name) from error
    out = np.asarray(plain + 0.0)  # -0.0 becomes 0.0: the same place has the same bits
    if out.size == 0:
        raise GridError("is empty", where=name)
    return out


def _array(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        out: NDArray[Any] = np.asanyarray(values)
    except (TypeError, ValueError) as error:
        raise GridError(f"is no array: {error}", where=name) from error
    if out.dtype.kind == "c":
        raise GridError("is not numeric but complex", where=name)
    return out


def degrees(values: ArrayLike, name: str) -> Array:
    """Return coordinates as float64, refusing NaN, infinities, fill values and what is no number."""
    out = numbers(values, name)
    bad = absent(out)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        kind = "fill values" if np.isfinite(out[bad]).all() else "not finite"
        raise GridError(f"{bad.sum()} of {out.size} values are {kind}, the first at {first}", where=name)
    return out


def absent(values: Array) -> NDArray[np.bool_]:
    """Return which values are NaN, infinite, or as large as only fill values are."""
    return np.asarray(~(np.abs(values) < FILL))


def coordinates(lon: ArrayLike, lat: ArrayLike, where: str) -> tuple[Array, Array]:
    """Return longitudes and latitudes of centres or nodes in degrees after the checks of any grid."""
    x, y = angles(lon, lat, where)
    refuse_radians(x, y, where)
    return x, y


def refuse_radians(lon: Array, lat: Array, where: str) -> None:
    """Refuse coordinates that are surely in radians; a small region about (0, 0) is left in peace."""
    if np.abs(lat).max() > np.pi / 2 + 1e-6 or np.abs(lon).max() > 2 * np.pi + 1e-6:
        return
    # only radians reach around the globe and to both poles within so few units
    everywhere = np.ptp(lon) > 0.85 * 2 * np.pi and np.ptp(lat) > 0.7 * np.pi
    if everywhere or (_round_as_radians(lon) and _round_as_radians(lat)):
        raise GridError("coordinates look like radians", where=where, hint=RADIANS)


def _round_as_radians(values: Array) -> bool:
    """Whether values, taken for radians, are round numbers of degrees, and are none as they are."""
    some = np.unique(values)
    some = some[:: max(1, len(some) // 64)]
    return len(some) >= 4 and _round(np.rad2deg(some)) and not _round(some)


def _round(values: Array) -> bool:
    ticks = values / TICK
    return bool(np.abs(ticks - np.round(ticks)).max() < 2e-5 / TICK)


def angles(lon: ArrayLike, lat: ArrayLike, where: str) -> tuple[Array, Array]:
    """Return longitudes and latitudes as float64, refusing what lies beyond a pole or cannot be degrees."""
    x, y = degrees(lon, f"{where} longitude"), degrees(lat, f"{where} latitude")
    beyond = np.abs(y) > 90.0 + 1e-4  # single precision
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
        what = f"{values[0]:g} and {values[-1]:g} are duplicated longitudes"
        raise GridError(what, where=where, hint="drop the repeated column (a cyclic point)")
    # keep the digits of the file wherever there is nothing to unwrap
    return values if np.allclose(out, values, rtol=0, atol=1e-9) else out


def _disorder(values: Array, period: float | None) -> tuple[str]:
    wrapped = values % period if period else values
    unique, counts = np.unique(np.round(wrapped, 9), return_counts=True)
    if (counts > 1).any():
        return (f"{unique[counts > 1][0]:g} is duplicated",)
    return ("values are neither increasing nor decreasing",)


def per_cell(values: ArrayLike, shape: tuple[int, ...], where: str) -> NDArray[Any]:
    """Return a flat value per cell (mask, area), refusing another shape than the grid's."""
    out = np.asarray(_array(values, where))
    if out.shape != shape and out.shape != (int(np.prod(shape)),):
        hint = "transposed? rows (lat) come first" if out.shape == shape[::-1] else ""
        raise GridError(f"shape {out.shape} is not the grid's {shape}", where=where, hint=hint)
    return out.reshape(-1)


def areas(
    values: ArrayLike | None, shape: tuple[int, ...], where: str, mask: NDArray[np.bool_] | None = None
) -> Array | None:
    """Return areas as float64, flat, refusing another shape and what is not positive in active cells."""
    if values is None:
        return None
    out = numbers(per_cell(values, shape, f"{where} area"), f"{where} area")
    if mask is not None:
        out = np.where(mask | (np.isfinite(out) & (out > 0)), out, 0.0)
    bad = ~np.isfinite(out) | (out <= 0) & (mask if mask is not None else True)
    if bad.any():
        first = int(np.argmax(bad))
        raise GridError(f"area of cell {first} is not positive and finite: {out[first]:g}", where=where)
    return out
