"""Winds that mass fluxes stand for, compiled: one pass for a moment between two analyses."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tradewind.couplers.compiled import compiled

Doubles: TypeAlias = NDArray[np.float64]


def _add_winds(
    ends: tuple[Doubles, Doubles, Doubles],
    sides: tuple[Doubles, Doubles],
    layers: NDArray[np.int64],
    weights: tuple[float, float],
    out: Doubles,
) -> None:
    """Add the winds in the cells' middles at one moment, times a weight.

    Parameters
    ----------
    ends
        Eastward and northward fluxes, kg s-1, and air, kg, at both ends of an interval:
        ``(2, layer, lat, lon + 1)``, ``(2, layer, lat + 1, lon)``, ``(2, layer, lat, lon)``.
    sides
        Area over the height and over the width of a cell, by row: m, shape ``(lat,)``.
    weights
        Share of the interval that has passed, and weight of the moment.
    out
        Added to, shape ``(2 * layers wanted, lat, lon)``: eastward and northward of each layer, m s-1.
    """
    east, north, air = ends
    late, weight = weights
    early = 1.0 - late
    for number in range(len(layers)):
        k = layers[number]
        for i in range(air.shape[2]):
            along, across = 0.5 * weight * sides[0][i], 0.5 * weight * sides[1][i]
            for j in range(air.shape[3]):
                mass = early * air[0, k, i, j] + late * air[1, k, i, j]
                u = early * (east[0, k, i, j] + east[0, k, i, j + 1])
                u += late * (east[1, k, i, j] + east[1, k, i, j + 1])
                v = early * (north[0, k, i, j] + north[0, k, i + 1, j])
                v += late * (north[1, k, i, j] + north[1, k, i + 1, j])
                out[2 * number, i, j] += np.divide(u * along, mass)
                out[2 * number + 1, i, j] += np.divide(v * across, mass)


add_winds = compiled(_add_winds)
