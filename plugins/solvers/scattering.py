"""The one loop of the products that numpy cannot do at once; import it late, numba is heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


def _scatter(high: Array, low: Array, part: Array, columns: NDArray[np.int64]) -> None:
    """Add the lower triangle of `part` at `columns` of `high`, and what that rounds away to `low`."""
    for a in range(len(columns)):
        i = columns[a]
        for b in range(a + 1):
            j = columns[b]
            value, old = part[a, b], high[i, j]
            total = old + value
            back = total - old
            low[i, j] += (old - (total - back)) + (value - back)
            high[i, j] = total


scatter = compiled(_scatter)
