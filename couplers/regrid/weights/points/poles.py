"""What closes a grid around a pole, beyond its last row of centres.

As in ESMF: ``allavg`` and ``npntavg`` put a point in the middle of the row and join it to the row by
triangles; its value is the mean of the row's active cells, or of the active ones of the `points` cells about
the triangle (a value for each triangle then; ESMF lets masked cells in here). ``teeth`` joins the cells of
the row with each other, to and fro. ESMF closes both ends of a grid or none; here each end is closed where
the grid closes: its columns go around the globe and its last row is level and borders on the pole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.regrid.scheme import PoleKind, Poles
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Closure:
    """Triangles over a pole, and the places that they need.

    Attributes
    ----------
    triangles
        Corners ``(n, 3)``: cells, and behind the last cell the places.
    places
        Unit vectors ``(k, 3)``.
    cells
        What each place is the mean of, ``(k, points)``, as far as it is active.
    """

    triangles: Index
    places: Array
    cells: Index


def poles_of(source: Grid) -> list[Index]:
    """Return the rows of cells that border on a pole, each in the order in which ESMF goes around."""
    if not source.periodic or source.shape[0] < 2:
        return []
    index = np.arange(source.size).reshape(source.shape)
    lat = source.lat.reshape(source.shape)
    first = [index[0]] if _borders_on_pole(lat[0], lat[1]) else []
    # the last row is gone around the other way, from its first cell on
    last = [np.roll(index[-1][::-1], 1)] if _borders_on_pole(lat[-1], lat[-2]) else []
    return first + last


def _borders_on_pole(edge: Array, inner: Array) -> bool:
    level = np.ptp(edge) < 1e-9
    gap = 90.0 - abs(edge[0])
    return bool(level and 1e-9 < gap <= abs(edge[0] - inner[0]) + 1e-9)


def closures(source: Grid, poles: Poles) -> list[Closure]:
    """Return what closes a grid, for each pole that it closes.

    Raises
    ------
    SpecError
        When ``npntavg`` asks for more points than the row has.
    """
    if poles.kind is PoleKind.NONE:
        return []
    out: list[Closure] = []
    number = source.size
    for ring in poles_of(source):
        out.append(_closed(source, ring, poles, number))
        number += len(out[-1].places)
    return out


def _closed(source: Grid, ring: Index, poles: Poles, number: int) -> Closure:
    if poles.kind is PoleKind.TEETH:
        return Closure(_teeth(ring), np.zeros((0, 3)), np.zeros((0, 1), dtype=np.int64))
    place = _middle(source.centres[ring])
    if poles.kind is PoleKind.NPNTAVG:
        around = _around_sides(ring, poles.points, source)
        places = np.repeat(place, len(ring), axis=0)
        return Closure(_fan(ring, number + np.arange(len(ring))), places, around)
    return Closure(_fan(ring, np.full(len(ring), number)), place, ring[None])


def _middle(ring: Array) -> Array:
    mean = ring.mean(axis=0, keepdims=True)
    # rounding leaves the middle of an even row beside the pole
    mean[np.abs(mean) < 1e-14] = 0.0
    return np.asarray(mean / np.sqrt((mean**2).sum()))


def _fan(ring: Index, place: Index) -> Index:
    return np.stack([np.roll(ring, -1), ring, place], axis=1)


def _around_sides(ring: Index, points: int, source: Grid) -> Index:
    """Return the cells ``(n, points)`` about the side from each cell of the ring to the next."""
    n = len(ring)
    if points > n:
        raise SpecError(
            f"a mean of {points} points", where=f"poles of {source!r}", hint=f"the last row has {n} cells"
        )
    start = np.arange(n) - points // 2 + 1
    out: Index = ring[(start[:, None] + np.arange(points)) % n]
    return out


def _teeth(ring: Index) -> Index:
    """Return triangles ``(n - 2, 3)`` whose corners change from one side of the ring to the other."""
    low, high = 0, len(ring) - 1
    out: list[tuple[int, int, int]] = []
    while low + 1 < high:
        out.append((high, low + 1, low))
        if low + 1 < high - 1:
            out.append((high - 1, low + 1, high))
        low, high = low + 1, high - 1
    return ring[np.array(out, dtype=np.int64).reshape(-1, 3)]
