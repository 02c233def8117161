"""The analysis at each point, from the observations within its reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.plugins.filters.inflation import Learning, learnt
from tradewind.plugins.filters.local.neighbours import Near
from tradewind.plugins.filters.local.tapers import taper
from tradewind.plugins.filters.transform.weights import How, matmul, rest, weigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]


class Given(NamedTuple):
    """What observations say.

    Attributes
    ----------
    columns
        Anomalies of members (or their projections), innovation and, where there are any, perturbations of
        each, side by side, shape ``(m, r + 1 (+ N))``; divided by the errors where these are independent.
    rank
        r.
    covariance
        R of correlated errors ``(m, m)``; ``(0, 0)``: independent.
    """

    columns: Array
    rank: int
    covariance: Array


class Height(NamedTuple):
    """Localisation in the vertical; none where there are no coordinates.

    Attributes
    ----------
    levels
        Vertical coordinate of every point, shape ``(points,)``; NaN: it sees all heights.
    coordinates
        Of the observations, shape ``(m,)``, NaN where one has none: it is seen from every level.
    least
        Weights up to this count as 0.
    """

    levels: Array
    coordinates: Array
    radius: float
    taper: int
    least: float


@compiled
def analyses(near: Near, given: Given, height: Height, factors: Array, how: How, learning: Learning) -> Array:
    """Return the weights of every point, shape ``(points, N, N)``.

    Parameters
    ----------
    factors
        On the forecast variance, shape ``(points,)``; replaced by those of the next analysis.
    """
    points, n = len(near.starts) - 1, int(how.spare) + 1
    out = np.empty((points, n, n))
    for point in range(points):
        first, last = near.starts[point], near.starts[point + 1]
        chosen, weights = levelled(near.index[first:last], near.weights[first:last], height, point)
        prior = how.prior / factors[point]
        if len(chosen) == 0:
            out[point] = rest(prior, how)
            continue
        if len(given.covariance):
            rows = _whitened(chosen, weights, given)
            g, b, e, sums = _products(rows, np.arange(len(chosen)), np.ones(len(chosen)), given.rank, how)
        else:
            g, b, e, sums = _products(given.columns, chosen, weights, given.rank, how)
        out[point] = weigh(g, b, e, prior, how)
        factors[point] = learnt(factors[point], sums, learning)
    return out


@compiled
def projected(anomalies: Array, basis: Array) -> Array:
    """Return anomalies ``(m, N)`` in a basis ``(N, r)``: ``(m, r)``, each sum in order."""
    return matmul(anomalies, basis)


@compiled
def levelled(index: Index, weights: Array, height: Height, point: int) -> tuple[Index, Array]:
    """Return those that count at a level, with their weights in the horizontal and the vertical."""
    if len(height.coordinates) == 0:
        return index, weights
    chosen, found, many = np.empty_like(index), np.empty_like(weights), 0
    for k in range(len(index)):
        weight = weights[k]
        distance = abs(height.coordinates[index[k]] - height.levels[point])
        if distance > height.radius:
            continue
        if not np.isnan(distance):
            weight *= taper(height.taper, distance, height.radius)
        if weight > height.least:
            chosen[many], found[many] = index[k], weight
            many += 1
    return chosen[:many], found[:many]


@compiled
def _products(
    columns: Array, chosen: Index, weights: Array, r: int, how: How
) -> tuple[Array, Array, Array, tuple[float, float, float]]:
    """Return Z R⁻¹ Zᵀ (lower triangle), Z R⁻¹ d, Z R⁻¹ ε, and Σ ρ d², Σ ρ Var(H x), Σ ρ."""
    g, b = np.zeros((r, r)), np.zeros(r)
    extra = columns.shape[1] - r - 1
    e = np.zeros((r, extra))
    squares, total = 0.0, 0.0
    for k in range(len(chosen)):
        o, weight = chosen[k], weights[k]
        innovation = columns[o, r]
        squares += weight * innovation * innovation
        total += weight
        for i in range(r):
            part = weight * columns[o, i]
            b[i] += part * innovation
            for j in range(i + 1):
                g[i, j] += part * columns[o, j]
            for j in range(extra):
                e[i, j] += part * columns[o, r + 1 + j]
    variance = 0.0
    for i in range(r):
        variance += g[i, i]
    return g, b, e, (squares, variance / how.spare, total)


@compiled
def _whitened(chosen: Index, weights: Array, given: Given) -> Array:
    """Return L⁻¹ ρ^½ of the columns of some observations, with L Lᵀ = R among them."""
    m, width = len(chosen), given.columns.shape[1]
    factor, rows = np.zeros((m, m)), np.empty((m, width))
    for i in range(m):
        root = np.sqrt(weights[i])
        for c in range(width):
            rows[i, c] = root * given.columns[chosen[i], c]
        for j in range(i + 1):
            total = given.covariance[chosen[i], chosen[j]]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            factor[i, j] = np.sqrt(total) if i == j else total / factor[j, j]
        for j in range(i):
            for c in range(width):
                rows[i, c] -= factor[i, j] * rows[j, c]
        for c in range(width):
            rows[i, c] /= factor[i, i]
    return rows
