"""A piecewise linear function of many maps, compiled: most of their cells lie in the first pieces."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tradewind.couplers.compiled import compiled

Doubles: TypeAlias = NDArray[np.float64]


def _follow(maps: NDArray[np.floating], knots: Doubles, values: Doubles, slopes: Doubles) -> None:
    """Apply the function to maps in place, each scaled down where it would sum to more than one.

    Parameters
    ----------
    maps
        Shape ``(sample, rows, columns)``.
    knots, values, slopes
        Where pieces begin, the function there, and its slopes; the last piece has no end.
    """
    for sample in range(len(maps)):
        flat = maps[sample].reshape(-1)
        mass = 0.0
        for i in range(len(flat)):
            piece = 0
            while piece + 1 < len(knots) and flat[i] >= knots[piece + 1]:
                piece += 1
            flat[i] = values[piece] + slopes[piece] * (flat[i] - knots[piece])
            mass += flat[i]
        if mass > 1.0:
            for i in range(len(flat)):
                flat[i] /= mass


follow = compiled(_follow)
