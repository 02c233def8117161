"""Weights become analysed members: cell by cell, in sums of a fixed order."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

TILE = 64
"""Cells looked at together: members lie far apart in memory, so rows of this many are copied first."""


class Spread(NamedTuple):
    """What happens to the analysed anomalies of each cell.

    Attributes
    ----------
    relaxation
        α of the relaxation to the forecast's spread.
    factor
        On the anomalies, after that.
    """

    relaxation: float = 0.0
    factor: float = 1.0


class Part(NamedTuple):
    """Some levels, from `bottom` to before `top`, and cells from `first` on."""

    bottom: int
    top: int
    first: int


@compiled
def apply(x: Array, part: Part, weights: Array, which: Index, spread: Spread, out: Array) -> None:
    """Write ``mean + Σ_i x'_i W_ij`` of some cells to `out`; a cell's bits do not depend on the others.

    Parameters
    ----------
    x, out
        Members before and after, shape ``(N, levels, cells)``.
    part
        Where to begin; there are as many cells as `which` has elements.
    weights
        W, shape ``(sets, N, N)``.
    which
        Set of each cell.
    """
    n, start = len(x), part.first
    tile, anomalies = np.empty((n, TILE)), np.empty(n)
    for level in range(part.bottom, part.top):
        for first in range(0, len(which), TILE):
            many = min(TILE, len(which) - first)
            for i in range(n):
                for c in range(many):
                    tile[i, c] = x[i, level, start + first + c]
            for c in range(many):
                _cell(tile, c, weights[which[first + c]], anomalies, spread)
            for i in range(n):
                for c in range(many):
                    out[i, level, start + first + c] = tile[i, c]


@compiled
def _cell(tile: Array, c: int, w: Array, analysed: Array, spread: Spread) -> None:
    n = len(w)
    if spread.factor == 1.0 and _leaves(w):
        return
    mean = 0.0
    for i in range(n):
        mean += tile[i, c]
        analysed[i] = 0.0
    mean /= n
    before = 0.0
    for i in range(n):
        anomaly = tile[i, c] - mean
        before += anomaly * anomaly
        for j in range(n):
            analysed[j] += anomaly * w[i, j]
    mean += widened(analysed, before, spread)
    for j in range(n):
        tile[j, c] = mean + analysed[j]


@compiled
def _leaves(w: Array) -> bool:
    """Return whether weights leave every member as it is, to the bit."""
    for i in range(len(w)):
        for j in range(len(w)):
            if w[i, j] != (1.0 if i == j else 0.0):
                return False
    return True


@compiled
def widened(analysed: Array, before: float, spread: Spread) -> float:
    """Widen anomalies about their mean, which is then taken out of them and returned.

    Parameters
    ----------
    before
        Sum of the squares of the forecast's anomalies.
    """
    moved, after = 0.0, 0.0
    if spread.relaxation == 0.0 and spread.factor == 1.0:
        return moved
    for i in range(len(analysed)):
        moved += analysed[i]
    moved /= len(analysed)
    for i in range(len(analysed)):
        analysed[i] -= moved
        after += analysed[i] * analysed[i]
    factor = spread.factor
    if after > 0.0:
        factor *= 1.0 + spread.relaxation * (np.sqrt(before / after) - 1.0)
    for i in range(len(analysed)):
        analysed[i] *= factor
    return moved


def members_first(field: Tensor) -> Array:
    """Return ``(member, *extra, cell)`` as a float64 array ``(member, levels, cells)`` in C order."""
    array = field.detach().cpu().numpy()
    levels = prod(array.shape[1:-1])
    shape = len(array), levels, array.shape[-1] if array.ndim > 1 else 1
    return np.ascontiguousarray(array, dtype=np.float64).reshape(shape)


def like(values: Array, field: Tensor) -> Tensor:
    """Return an array as a tensor with the shape, the type and the device of `field`."""
    found = torch.from_numpy(values.reshape(field.shape))
    return found if found.dtype == field.dtype and field.is_cpu else found.to(field)


def transform(field: Tensor, weights: Array, spread: Spread | None = None) -> Tensor:
    """Return the members of `field`, ``(member, *extra, cell)``, under one set of weights ``(N, N)``."""
    x = members_first(field)
    out = np.empty_like(x)
    which = np.zeros(x.shape[-1], dtype=np.int64)
    apply(x, Part(0, x.shape[1], 0), weights[None], which, spread or Spread(), out)
    return like(out, field)
