"""Sums of maps around their sources, and their transpose, compiled: only what a map covers is touched."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tradewind.couplers.compiled import compiled

Doubles: TypeAlias = NDArray[np.float64]
Floats: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]


def _superpose(maps: Floats, cells: Integers, weights: Doubles, out: Doubles) -> None:
    """Add to each row of `out` the maps times their weights, one after the other.

    Parameters
    ----------
    maps
        Shape ``(source, width, width)``.
    cells
        Row and column of each source, shape ``(source, 2)``.
    weights
        Shape ``(k, source)``.
    out
        Shape ``(k, lat, lon)``.
    """
    width = maps.shape[1]
    for k in range(len(weights)):
        for s in range(len(maps)):
            weight = weights[k, s]
            if weight == 0.0:
                continue
            row, column = cells[s, 0] - width // 2, cells[s, 1] - width // 2
            for i in range(width):
                for j in range(width):
                    out[k, row + i, column + j] += weight * maps[s, i, j]


superpose = compiled(_superpose)


def _correlate(maps: Floats, sources: Integers, y: Doubles, out: Doubles) -> None:
    """Add to each row of `out` what every map, times its source's cells of `y`, sums to.

    Parameters
    ----------
    sources
        Which map is that of a cell, -1 where there is none; shape ``(lat, lon)``.
    y
        Shape ``(k, lat, lon)``: cells that are zero cost nothing.
    out
        Shape ``(k, source)``.
    """
    half = maps.shape[1] // 2
    rows, columns = sources.shape
    for k in range(len(y)):
        for row in range(rows):
            for column in range(columns):
                value = y[k, row, column]
                if value == 0.0:
                    continue
                for i in range(max(row - half, 0), min(row + half + 1, rows)):
                    for j in range(max(column - half, 0), min(column + half + 1, columns)):
                        s = sources[i, j]
                        if s >= 0:
                            out[k, s] += value * maps[s, row - i + half, column - j + half]


correlate = compiled(_correlate)
