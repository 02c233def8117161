"""Observation after observation: what each changes where it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.plugins.filters.local.kernels import Height, levelled
from tradewind.plugins.filters.local.neighbours import Near
from tradewind.plugins.filters.transform.applying import Part, Spread, widened
from tradewind.plugins.filters.transform.weights import How, finished, rows_dot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]


class Increments(NamedTuple):
    """What each observation changed of itself, in the order of their numbers, in units of its error.

    Attributes
    ----------
    anomalies
        Of members, when its turn came, shape ``(m, N)``.
    shrinking
        What was added to these, as a factor on them, shape ``(m,)``.
    moved
        What was added to the mean, shape ``(m,)``.
    variance
        Of the members, when its turn came, shape ``(m,)``.
    """

    anomalies: Array
    shrinking: Array
    moved: Array
    variance: Array


@compiled
def all_at_once(anomalies: Array, innovations: Array, prior: float, how: How) -> Array:
    """Return the weights W ``(N, N)`` that observations with errors of 1 amount to, taken one by one.

    Members are linear in what they were: cov(x, y_k) of a moment is ``X' T y_k/(N - 1)``, so T itself can be
    carried: ``T += T y_k Δ_kᵀ/((N - 1) v_k)``, and likewise the weights of the mean.
    """
    n, factor = int(how.spare) + 1, np.sqrt(how.spare / prior)
    t, w = np.zeros((n, n)), np.zeros(n)
    for i in range(n):
        t[i, i] = factor
    for k in range(len(innovations)):
        y = rows_dot(t.T, anomalies[k])
        innovation, variance = innovations[k], 0.0
        for i in range(n):
            innovation -= anomalies[k, i] * w[i]
            variance += y[i] * y[i] / how.spare
        if variance > 0.0:
            across = rows_dot(t, y)
            shrinking, moved = _change(variance, innovation)
            for i in range(n):
                part = across[i] / (how.spare * variance)
                w[i] += part * moved
                for j in range(n):
                    t[i, j] += part * shrinking * y[j]
    return finished(t, w, how)


@compiled
def _change(variance: float, innovation: float) -> tuple[float, float]:
    """Return the factor that is added to anomalies, and what is added to the mean: Anderson (2001, eq. 9)."""
    return np.sqrt(1.0 / (1.0 + variance)) - 1.0, variance / (1.0 + variance) * innovation


@compiled
def in_turn(anomalies: Array, innovations: Array, near: Near, height: Height, factor: float) -> Increments:
    """Return what each observation changes of itself once those before it, within its reach, have had theirs.

    Parameters
    ----------
    anomalies, innovations
        In units of the errors, shape ``(m, N)`` and ``(m,)``.
    near
        The observations within reach of each observation.
    factor
        On the forecast spread.
    """
    m, n = anomalies.shape
    out = Increments(np.empty((m, n)), np.empty(m), np.empty(m), np.empty(m))
    for k in range(m):
        y, moved = out.anomalies[k], np.zeros(1)
        for i in range(n):
            y[i] = factor * anomalies[k, i]
        first, last = near.starts[k], near.starts[k + 1]
        chosen, weights = levelled(near.index[first:last], near.weights[first:last], height, k)
        until = np.searchsorted(chosen, k)
        _regress(y, moved, chosen[:until], weights[:until], out)
        variance = 0.0
        for i in range(n):
            variance += y[i] * y[i] / (n - 1.0)
        out.variance[k] = variance
        out.shrinking[k], out.moved[k] = _change(variance, innovations[k] - moved[0])
    return out


@compiled
def _regress(x: Array, mean: Array, chosen: Index, weights: Array, increments: Increments) -> None:
    """Add to anomalies x and to their mean what observations have changed, times the regression on them."""
    n = len(x)
    for c in range(len(chosen)):
        k = chosen[c]
        if increments.variance[k] == 0.0:
            continue
        covariance = 0.0
        for i in range(n):
            covariance += x[i] * increments.anomalies[k, i]
        slope = weights[c] * covariance / ((n - 1.0) * increments.variance[k])
        mean[0] += slope * increments.moved[k]
        for i in range(n):
            x[i] += slope * increments.shrinking[k] * increments.anomalies[k, i]


class Change(NamedTuple):
    """What observations change, and what happens to anomalies before and after."""

    increments: Increments
    factor: float
    how: How
    spread: Spread


@compiled
def update(x: Array, part: Part, near: Near, height: Height, change: Change, out: Array) -> None:
    """Write the analysed members of some levels and cells, one point a cell, to `out`.

    Parameters
    ----------
    x, out
        Members before and after, shape ``(N, levels, cells)``.
    """
    n = len(x)
    members = np.empty(n)
    for cell in range(len(near.starts) - 1):
        first, last = near.starts[cell], near.starts[cell + 1]
        chosen, weights = levelled(near.index[first:last], near.weights[first:last], height, cell)
        for level in range(part.bottom, part.top):
            for i in range(n):
                members[i] = x[i, level, part.first + cell]
            _analyse(members, chosen, weights, change)
            for i in range(n):
                out[i, level, part.first + cell] = members[i]


@compiled
def _analyse(members: Array, chosen: Index, weights: Array, change: Change) -> None:
    n, mean, how = len(members), np.zeros(1), change.how
    widths = change.factor == 1.0 and how.factor == 1.0 and change.spread.factor == 1.0
    if len(chosen) == 0 and widths and len(how.rotation) == 0:
        return
    total, before = 0.0, 0.0
    for i in range(n):
        total += members[i]
    forecast, anomalies = np.empty(n), np.empty(n)
    for i in range(n):
        forecast[i] = members[i] - total / n
        before += forecast[i] * forecast[i]
        anomalies[i] = change.factor * forecast[i]
    _regress(anomalies, mean, chosen, weights, change.increments)
    for i in range(n):
        anomalies[i] = how.factor * ((1.0 - how.rtpp) * anomalies[i] + how.rtpp * forecast[i])
    mean[0] += widened(anomalies, before, change.spread)
    if len(how.rotation):
        anomalies = rows_dot(how.rotation.T, anomalies)
    for i in range(n):
        members[i] = total / n + mean[0] + anomalies[i]
