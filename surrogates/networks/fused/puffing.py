"""`Puffs` for one source at a time, compiled, on the winds of a whole domain."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy import float32

from tradewind.couplers.compiled import compiled
from tradewind.surrogates.networks.fused.plumes import Corner, Floats, Integers, spread

Shares: TypeAlias = tuple[float32, float32, float32]

LEVELS = 3
MET = 8
"""What a puff meets: winds of the three levels, east and north, and the divergence of the lower two."""
FELT = 10
"""What is interpolated: those winds, and how the lower two differ per cell eastward, then northward."""


def _one_sided(winds: Floats, where: Corner, corner: Corner, last: int, felt: Floats) -> None:
    """Find differences of the lower winds at a cell of the window's edge: none are taken across it.

    Parameters
    ----------
    winds
        As in `_meet`.
    where
        Row and column in the window.
    felt
        Made here, for both halves of the time: shape ``(2, 4)``.
    """
    low, high = max(where[0] - 1, 0), min(where[0] + 1, last)
    left, right = max(where[1] - 1, 0), min(where[1] + 1, last)
    row, column = corner[0] + where[0], corner[1] + where[1]
    for half in range(2):
        for level in range(2):
            part = 2 * level
            east = winds[row, corner[1] + right, half, part] - winds[row, corner[1] + left, half, part]
            part = 2 * level + 1
            north = winds[corner[0] + high, column, half, part] - winds[corner[0] + low, column, half, part]
            felt[half, level] = np.divide(east, float32(right - left))
            felt[half, 2 + level] = np.divide(north, float32(high - low))


one_sided = compiled(_one_sided)


def _at_edge(winds: Floats, scale: Floats, corner: Corner, cell: Corner, shares: Shares, met: Floats) -> None:
    """Put differences of winds in the place of those that were taken across the window's edge.

    Parameters
    ----------
    cell
        Row and column in the window of the lower left of the four cells around a place.
    shares
        Of the upper row, of the right column, and of the second half of the time.
    met
        Its last four are made here.
    """
    last, (up, right, late) = len(scale) - 1, shares
    felt = np.empty((2, 4), dtype=np.float32)
    met[6:] = float32(0.0)
    for number in range(4):
        i, j = min(cell[0] + number // 2, last), min(cell[1] + number % 2, last)
        along = up if number // 2 else float32(1.0) - up
        weight = along * (right if number % 2 else float32(1.0) - right)
        one_sided(winds, (i, j), corner, last, felt)
        for part in range(4):
            value = felt[0, part] + late * (felt[1, part] - felt[0, part])
            met[6 + part] += weight * value * scale[i, 6 + part]


at_edge = compiled(_at_edge)


def _meet(winds: Floats, scale: Floats, corner: Corner, place: Floats, late: float32, met: Floats) -> None:
    """Find what is felt at a place of the window, bilinearly, cells s-1 and s-1.

    Parameters
    ----------
    winds
        m s-1 and m s-1 per cell, by half of the time, shape ``(lat, lon, 2, 10)``.
    scale
        What turns them into cells s-1, by row of the window, shape ``(rows, 10)``.
    corner, late
        As in `plumes`.
    place
        Cells east and north of the window's centre; beyond its edge counts as on it.
    met
        Made here, shape ``(10,)``.
    """
    last = len(scale) - 1
    x = min(max(place[0] + float32(last // 2), float32(0.0)), float32(last))
    y = min(max(place[1] + float32(last // 2), float32(0.0)), float32(last))
    column, row = int(x), int(y)
    beside, above = min(column + 1, last), min(row + 1, last)
    right, up = x - float32(column), y - float32(row)
    left, down, early = float32(1.0) - right, float32(1.0) - up, float32(1.0) - late
    south, north, west, east = corner[0] + row, corner[0] + above, corner[1] + column, corner[1] + beside
    for part in range(FELT):
        lower = (winds[south, west, 0, part] * early + winds[south, west, 1, part] * late) * left
        lower += (winds[south, east, 0, part] * early + winds[south, east, 1, part] * late) * right
        upper = (winds[north, west, 0, part] * early + winds[north, west, 1, part] * late) * left
        upper += (winds[north, east, 0, part] * early + winds[north, east, 1, part] * late) * right
        met[part] = lower * scale[row, part] * down + upper * scale[above, part] * up
    if min(row, column) == 0 or max(above, beside) == last:
        at_edge(winds, scale, corner, (row, column), (up, right, late), met)


meet = compiled(_meet)


def _ride(met: Floats, blend: Floats, seconds: float32, move: Floats) -> None:
    """Make the move of a puff that rides a blend of the levels' winds."""
    for axis in range(2):
        total = float32(0.0)
        for level in range(LEVELS):
            total += blend[level] * met[2 * level + axis]
        move[axis] = seconds * total


ride = compiled(_ride)


def _travel(
    winds: Floats, scale: Floats, corner: Corner, blends: Floats, step: float32, journey: Floats
) -> None:
    """Carry the puffs of one source.

    Parameters
    ----------
    blends
        Shares of the levels by path and age in steps, shape ``(path, particle, 3)``.
    journey
        Made here, shape ``(path, particle, 14)``: end, path travelled and the last move, each east and north,
        then what was met, summed over time.
    """
    count = blends.shape[1]
    move, there = np.empty(2, dtype=np.float32), np.empty(2, dtype=np.float32)
    met = np.empty(FELT, dtype=np.float32)
    journey[:] = float32(0.0)
    for path in range(len(blends)):
        for particle in range(count):
            found = journey[path, particle]
            for k in range(particle, count):
                seconds = step * (float32(0.5) if k == particle else float32(1.0))
                late = float32(2.0 * (k + 0.5) / count - 0.5)
                meet(winds, scale, corner, found[:2], late, met)
                ride(met, blends[path, k - particle], float32(0.5) * seconds, move)
                there[0], there[1] = found[0] + move[0], found[1] + move[1]
                meet(winds, scale, corner, there, late, met)
                ride(met, blends[path, k - particle], seconds, move)
                for axis in range(2):
                    found[axis] += move[axis]
                    found[2 + axis] += abs(move[axis])
                    found[4 + axis] = move[axis] * np.divide(step, seconds)
                for part in range(2 * LEVELS):
                    found[6 + part] += seconds * met[part]
                for level in range(2):
                    found[12 + level] += seconds * (met[6 + level] + met[8 + level])


travel = compiled(_travel)


def _size(east: float, north: float) -> float:
    """Return about the logarithm of a length in cells, smooth at zero."""
    return 0.5 * math.log1p(east * east + north * north)


size = compiled(_size)


def _decide(journey: Floats, tables: Floats, first: Floats, second: Floats, decided: Floats) -> None:
    """Decide each puff's share of its release, and a factor on its variance.

    Parameters
    ----------
    journey
        Shape ``(path, particle, 14)``.
    tables
        Logits of the shares by path and particle.
    first, second
        Weights of both layers, biases in their last columns: ``(hidden, 7)``, ``(2 paths, hidden + 1)``.
    decided
        Made here, shape ``(path, particle, 2)``.
    """
    paths, particles = journey.shape[:2]
    features, hidden = np.empty(7), np.empty(len(first) + 1)
    mean, said = np.empty(MET), np.empty(2 * paths)
    for particle in range(particles):
        mean[:] = 0.0
        for path in range(paths):
            for part in range(MET):
                mean[part] += np.divide(journey[path, particle, 6 + part], float32(paths))
        features[0] = 0.5 - particle / particles
        features[1] = size(mean[0], mean[1])
        features[2], features[3] = (
            size(mean[2] - mean[0], mean[3] - mean[1]),
            size(mean[4] - mean[2], mean[5] - mean[3]),
        )
        features[4], features[5], features[6] = mean[6], mean[7], 1.0
        for unit in range(len(first)):
            total = 0.0
            for part in range(7):
                total += first[unit, part] * features[part]
            hidden[unit] = math.tanh(total)
        hidden[len(first)] = 1.0
        for answer in range(2 * paths):
            total = 0.0
            for unit in range(len(hidden)):
                total += second[answer, unit] * hidden[unit]
            said[answer] = total
        largest = -1e30
        for path in range(paths):
            said[path] += tables[path, particle]
            largest = max(largest, said[path])
        whole = 0.0
        for path in range(paths):
            said[path] = math.exp(said[path] - largest)
            whole += said[path]
        for path in range(paths):
            decided[path, particle, 0] = float32(np.divide(said[path], whole))
            decided[path, particle, 1] = float32(math.exp(math.tanh(said[paths + path])))


decide = compiled(_decide)


def _puff(
    winds: Floats,
    scales: Floats,
    corners: Integers,
    tables: tuple[Floats, Floats, Floats, Floats, Floats],
    settings: tuple[float, float],
    shares: Floats,
) -> None:
    """Release puffs from each source of a block, and spread them.

    Parameters
    ----------
    winds
        As in `_meet`; `corners`, `settings` and `shares` as in `plumes`.
    scales
        As in `_meet`, by source: shape ``(source, rows, 10)``.
    tables
        Blends, logits of shares, both layers, and by path the variance at the release and its growth with
        cells travelled and with shear, ``(path, 3)``.
    """
    blends, logits, first, second, growth = tables
    paths, particles = blends.shape[:2]
    journey = np.empty((paths, particles, 6 + MET), dtype=np.float32)
    decided = np.empty((paths, particles, 2), dtype=np.float32)
    variance = np.empty(2, dtype=np.float32)
    for source in range(len(corners)):
        corner = (corners[source, 0], corners[source, 1])
        travel(winds, scales[source], corner, blends, float32(settings[0]), journey)
        decide(journey, logits, first, second, decided)
        for k in range(shares.shape[2]):
            path, puff = k // particles, journey[k // particles, k % particles]
            share, factor = decided[path, k % particles]
            for axis in range(2):
                shear = puff[8 + axis] - puff[6 + axis]
                grown = growth[path, 1] * puff[2 + axis] + growth[path, 2] * shear * shear
                apart = puff[4 + axis] * puff[4 + axis] * float32(1.0 / 12.0)
                variance[axis] = (growth[path, 0] + grown + apart) * factor
            spread(puff, variance, float32(settings[1]), shares[source, :, k])
            for i in range(shares.shape[3]):
                shares[source, 1, k, i] *= share


puff = compiled(_puff)
