"""The one loop of the products that numpy cannot do at once; import it late, numba is heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


def _scatter(high: Array, low: Array, part: Array, columns: NDArray[np.int64], first: int) -> None:
    """Add rows of a symmetric matrix where they belong, and what that rounds away to `low`.

    Parameters
    ----------
    high, low
        A sum of shape ``(n, n)``, of which what is below the diagonal counts.
    part
        Rows from `first` of a matrix of shape ``(k, k)``, up to the diagonal of the last at least.
    columns
        Where the k rows and columns belong, ascending.
    """
    for a in range(len(part)):
        i = columns[first + a]
        for b in range(first + a + 1):
            j = columns[b]
            value, old = part[a, b], high[i, j]
            total = old + value
            back = total - old
            low[i, j] += (old - (total - back)) + (value - back)
            high[i, j] = total


scatter = compiled(_scatter)
