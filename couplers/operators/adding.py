"""Sums of products in one pass, over memory as it lies: an integral is taken at both ends of every exchange.

Handing an array to a compiled function costs more than adding up a few hundred numbers, so these are called
by address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np
from numba import carray, cfunc, types  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNATURE = types.float64(types.voidptr, types.voidptr, types.intp)
WeightedSum = Callable[[int, int, int], float]


def _weighted_sum(x_address: int, weights_address: int, n: int) -> float:
    """Return the sum of x_i w_i by adding neighbours, then neighbours of those; never -0.

    Parameters
    ----------
    x_address, weights_address
        Where n >= 1 float64 lie in a row. Where a weight is 0, x counts for nothing, whatever it is.
    """
    x: NDArray[np.float64] = carray(x_address, (n,), np.float64)  # type: ignore[call-overload]
    weights: NDArray[np.float64] = carray(weights_address, (n,), np.float64)  # type: ignore[call-overload]
    terms = np.empty(n)
    for i in range(n):
        terms[i] = 0.0 if weights[i] == 0.0 else x[i] * weights[i]
    while n > 1:
        half = n // 2
        for i in range(half):
            terms[i] = terms[2 * i] + terms[2 * i + 1]
        if n % 2:
            terms[half] = terms[n - 1]
        n = half + n % 2
    return float(terms[0] + 0.0)


def weighted_sum() -> WeightedSum:
    """Return `_weighted_sum`, compiled, kept on disk where there is a place for it."""
    try:
        made = cfunc(SIGNATURE, cache=True)(_weighted_sum)
    except RuntimeError:  # no folder for the cache can be written: compiled in every run
        made = cfunc(SIGNATURE)(_weighted_sum)
    return cast(WeightedSum, made.ctypes)
