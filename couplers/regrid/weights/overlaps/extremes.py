"""Where a linear function within each cell is least and largest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


@compiled
def extremes(starts: Index, shift: Array, slope: Array) -> tuple[Array, Array]:
    """Return the displacements with the least and the largest ``d · g``, like `slope` each.

    Of several alike the first is taken; a cell without displacements has zeros.

    Parameters
    ----------
    starts
        Where the displacements of each cell begin, shape ``(n + 1,)``.
    shift
        The displacements d, shape ``(m, 3)``.
    slope
        Gradients g, shape ``(members, n, 3)``.
    """
    low, high = np.zeros_like(slope), np.zeros_like(slope)
    for member in range(slope.shape[0]):
        for j in range(slope.shape[1]):
            least, largest = np.inf, -np.inf
            g = slope[member, j]
            for k in range(starts[j], starts[j + 1]):
                d = shift[k]
                step = d[0] * g[0] + d[1] * g[1] + d[2] * g[2]
                if step < least:
                    least, low[member, j, 0], low[member, j, 1], low[member, j, 2] = step, d[0], d[1], d[2]
                if step > largest:
                    largest, high[member, j, 0], high[member, j, 1], high[member, j, 2] = (
                        step,
                        d[0],
                        d[1],
                        d[2],
                    )
    return low, high
