"""Means over all windows of a domain, compiled: windows share what they sum."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tradewind.couplers.compiled import compiled

Doubles: TypeAlias = NDArray[np.float64]


def _box_moments(field: Doubles, mean: Doubles, square: Doubles) -> None:
    """Make the means over all square windows of a field, and of its squares, by running sums.

    Parameters
    ----------
    field
        Shape ``(channel, lat, lon)``, of about zero mean: sums of squares keep their digits.
    mean, square
        Made here; their shape tells the windows' width: ``(channel, lat - width + 1, lon - width + 1)``.
    """
    width = field.shape[1] - mean.shape[1] + 1
    cells = float(width * width)
    sums = np.empty((2, field.shape[2]))
    for channel in range(len(field)):
        sums[:] = 0.0
        for row in range(field.shape[1]):
            for column in range(field.shape[2]):
                value = field[channel, row, column]
                sums[0, column] += value
                sums[1, column] += value * value
            if row >= width:
                for column in range(field.shape[2]):
                    value = field[channel, row - width, column]
                    sums[0, column] -= value
                    sums[1, column] -= value * value
            first = row - width + 1
            if first < 0:
                continue
            total = squares = 0.0
            for column in range(field.shape[2]):
                total += sums[0, column]
                squares += sums[1, column]
                if column >= width:
                    total -= sums[0, column - width]
                    squares -= sums[1, column - width]
                if column >= width - 1:
                    mean[channel, first, column - width + 1] = total / cells
                    square[channel, first, column - width + 1] = squares / cells


box_moments = compiled(_box_moments)
