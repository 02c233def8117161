"""The first guess for one source at a time, compiled, on the winds of a whole domain.

The arithmetic is that of `first_guess`; winds lie once in memory for all sources, and what a window's edge
holds back there is held back here by the window's bounds.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from tradewind.couplers.compiled import compiled
from tradewind.surrogates.networks.fused.special import erf_from_table, log

Floats: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]
Corner: TypeAlias = tuple[int, int]

WIDE = 4.2
"""Beyond it a Gaussian holds less than the faintest share; in units of the root of twice its variance."""


def _along(row: Floats, west: int, east: int, right: float32, late: float32) -> tuple[float32, float32]:
    """Return the wind on one row between two columns, now: east and north, in the row's own units.

    Parameters
    ----------
    row
        Shape ``(lon, 4)``: east and north in the first half of the time, then in the second.
    right
        Share of the eastern column.
    late
        Weight of the second half: below zero and above one at the ends.
    """
    left = float32(1.0) - right
    u = row[west, 0] * left + row[east, 0] * right
    v = row[west, 1] * left + row[east, 1] * right
    later_u = row[west, 2] * left + row[east, 2] * right
    later_v = row[west, 3] * left + row[east, 3] * right
    return u + late * (later_u - u), v + late * (later_v - v)


along = compiled(_along)


def _wind(
    winds: Floats, speed: Floats, corner: Corner, place: tuple[float32, float32], late: float32
) -> tuple[float32, float32]:
    """Return the wind at a place of a window, cells per second east and north, bilinearly.

    Parameters
    ----------
    winds
        m s-1 on the domain, shape ``(lat, lon, 4)``, as `_along` takes a row of them.
    speed
        What turns m s-1 into cells s-1, east and north, by row of the window: shape ``(rows, 2)``.
    corner
        Row and column of the domain at which the window begins.
    place
        Column and row in the window; beyond its edge counts as on it.
    """
    last = len(speed) - 1
    x = min(max(place[0], float32(0.0)), float32(last))
    y = min(max(place[1], float32(0.0)), float32(last))
    column, row = int(x), int(y)
    east, north = min(column + 1, last) + corner[1], min(row + 1, last)
    right, up = x - float32(column), y - float32(row)
    u, v = along(winds[corner[0] + row], corner[1] + column, east, right, late)
    higher_u, higher_v = along(winds[corner[0] + north], corner[1] + column, east, right, late)
    u, v = u * speed[row, 0], v * speed[row, 1]
    higher_u, higher_v = higher_u * speed[north, 0], higher_v * speed[north, 1]
    return u + up * (higher_u - u), v + up * (higher_v - v)


wind = compiled(_wind)


def _fly(winds: Floats, speed: Floats, corner: Corner, step: float32, ends: Floats) -> None:
    """Carry the particles of one source, which leave the window's centre at even times.

    Parameters
    ----------
    winds
        By blend, shape ``(blend, lat, lon, 4)``; `speed` and `corner` as in `_wind`.
    step
        Seconds between releases.
    ends
        Made here: where they end, in cells from the centre, and how far they went: east, north, east, north;
        shape ``(blend, particle, 4)``.
    """
    centre, count = float32(len(speed) // 2), ends.shape[1]
    for blend in range(len(ends)):
        for particle in range(count):
            end = ends[blend, particle]
            end[:] = float32(0.0)
            for k in range(particle, count):
                seconds = step * (float32(0.5) if k == particle else float32(1.0))
                late = float32(2.0 * (k + 0.5) / count - 0.5)
                half = float32(0.5) * seconds
                u, v = wind(winds[blend], speed, corner, (end[0] + centre, end[1] + centre), late)
                there = (end[0] + half * u + centre, end[1] + half * v + centre)
                u, v = wind(winds[blend], speed, corner, there, late)
                end[0] += seconds * u
                end[1] += seconds * v
                end[2] += abs(seconds * u)
                end[3] += abs(seconds * v)


fly = compiled(_fly)


def _spread(middle: Floats, variance: Floats, faintest: float32, shares: Floats) -> None:
    """Spread one particle into a Gaussian: its shares in the cells of both axes.

    Parameters
    ----------
    middle, variance
        East and north, cells from the window's centre and cells squared.
    faintest
        A share up to this is none.
    shares
        Made here, shape ``(2, cells)``: east, then north.
    """
    cells = shares.shape[1]
    shares[:] = float32(0.0)
    for axis in range(2):
        centre, scale = middle[axis] + cells // 2 + 0.5, np.divide(1.0, np.sqrt(2.0 * variance[axis]))
        reach = np.divide(WIDE, scale)
        nearest = min(max(int(centre - reach), 0), cells)
        farthest = min(max(int(centre + reach) + 1, 0), cells)
        before = erf_from_table((nearest - centre) * scale)
        for i in range(nearest, farthest):
            after = erf_from_table((i + 1 - centre) * scale)
            share = float32(0.5 * (after - before))
            shares[axis, i] = share if share > faintest else float32(0.0)
            before = after


spread = compiled(_spread)


def _halve(shares: Floats, halves: Floats) -> None:
    """Return means over neighbours on the last axis; an odd last one stands alone."""
    last = shares.shape[2] - 1
    for axis in range(2):
        for k in range(shares.shape[1]):
            for i in range(halves.shape[2]):
                beside = min(2 * i + 1, last)
                halves[axis, k, i] = float32(0.5) * (shares[axis, k, 2 * i] + shares[axis, k, beside])


halve = compiled(_halve)


def _lay(shares: Floats, weight: float32, k: int, out: Floats) -> None:
    """Add one particle's map, times `weight`, to `out`, shape ``(cells, cells)``; most hold none."""
    east, north = shares[0, k], shares[1, k]
    first, last = 0, len(east)
    while first < last and east[first] == 0.0:
        first += 1
    while last > first and east[last - 1] == 0.0:
        last -= 1
    for i in range(len(north)):
        if north[i] != 0.0:
            share = north[i] * weight
            for j in range(first, last):
                out[i, j] += share * east[j]


lay = compiled(_lay)


def _maps(shares: Floats, particles: int, maps: Floats) -> None:
    """Make the map of every blend and age group, shape ``(maps, cells, cells)``, of all particles' shares."""
    group = shares.shape[1] // len(maps)
    maps[:] = float32(0.0)
    for k in range(shares.shape[1]):
        lay(shares, np.divide(float32(1.0), float32(particles)), k, maps[k // group])


make_maps = compiled(_maps)


def _seen(maps: Floats, floor: float32, fine: Floats) -> None:
    """Put logarithms of maps, brought to about -1 ... 1, into the first channels of `fine`."""
    flat = maps.reshape(len(maps), -1)
    out = fine.reshape(-1, fine.shape[2])
    row = np.empty(flat.shape[1], dtype=np.float32)
    for m in range(len(maps)):
        for i in range(len(row)):
            row[i] = log(flat[m, i] + floor) * float32(1.0 / 7.0) + float32(1.0)
        for i in range(len(row)):
            out[i, m] = row[i]


make_seen = compiled(_seen)


def _release(
    winds: Floats,
    speeds: Floats,
    corners: Integers,
    growth: Floats,
    settings: tuple[float, float],
    shares: Floats,
) -> None:
    """Release particles from each source of a block, and spread them.

    Parameters
    ----------
    winds
        By blend on the domain, shape ``(blend, lat, lon, 4)``, m s-1.
    speeds
        As in `_wind`, by source: shape ``(source, rows, 2)``.
    corners
        Row and column of the domain at which each window begins, shape ``(source, 2)``.
    growth
        Variance at the release, and its growth per cell travelled, by blend: shape ``(2, blend)``.
    settings
        Seconds of a step, and the faintest share.
    shares
        Made here, shape ``(source, 2, blend * particle, cells)``.
    """
    particles = shares.shape[2] // len(winds)
    ends = np.empty((len(winds), particles, 4), dtype=np.float32)
    variance = np.empty(2, dtype=np.float32)
    for source in range(len(corners)):
        corner = (corners[source, 0], corners[source, 1])
        fly(winds, speeds[source], corner, float32(settings[0]), ends)
        for k in range(shares.shape[2]):
            blend, end = k // particles, ends[k // particles, k % particles]
            variance[0] = growth[0, blend] + growth[1, blend] * end[2]
            variance[1] = growth[0, blend] + growth[1, blend] * end[3]
            spread(end, variance, float32(settings[1]), shares[source, :, k])


release = compiled(_release)


def _see(shares: Floats, particles: int, maps: int, floor: float, fine: Floats) -> None:
    """Make what the network sees of the first guesses: the first `maps` channels of `fine`.

    Parameters
    ----------
    shares
        Shape ``(source, 2, particle, cells)``: each map takes as many particles in turn.
    particles
        By which the sum of a map's particles is divided.
    fine
        Shape ``(source, size, size, channel)``; `size` is that of all cells, or of squares of two by two.
    """
    size = fine.shape[1]
    halves = np.empty((2, shares.shape[2], size), dtype=np.float32)
    made = np.empty((maps, size, size), dtype=np.float32)
    for source in range(len(shares)):
        if size < shares.shape[3]:
            halve(shares[source], halves)
            make_maps(halves, particles, made)
        else:
            make_maps(shares[source], particles, made)
        make_seen(made, float32(floor), fine[source])


see = compiled(_see)
