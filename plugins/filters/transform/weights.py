"""From products in the space of members to the weights of every analysed member.

With N members, anomalies X' and Z = (H x)', G = Z R⁻¹ Zᵀ, b = Z R⁻¹ d, a prior part c and P = (c I + G)⁻¹:
analysed member j is ``mean(x) + Σ_i x'_i W_ij`` with ``W = w 1ᵀ + T``, ``w = P b``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.plugins.filters.transform.eigen import symmetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


class Kind(IntEnum):
    """What T is.

    Attributes
    ----------
    ROOT
        ``((N - 1) P)^½``, the symmetric root: Hunt et al. (2007, eq. 24).
    HALF
        ``f/2 (I + c P)``: the anomalies move with half the gain, Sakov and Oke (2008, eq. 15).
    PERTURBED
        ``f c P + P Z R⁻¹ ε``: every member is moved by perturbed observations of its own, Burgers et al.
        (1998).
    """

    ROOT = 0
    HALF = 1
    PERTURBED = 2


class How(NamedTuple):
    """How members are weighed; f = ((N - 1)/c)^½ is the factor on the forecast spread.

    Attributes
    ----------
    kind
        One of `Kind`.
    spare
        ``N - 1``.
    prior
        c, before what is adapted.
    resting
        Where nothing is seen, T is ``f**resting``.
    rtpp
        Share of the forecast's perturbations in T.
    factor
        On T.
    rotation
        Mean-preserving orthogonal matrix ``(N, N)``, or ``(0, 0)``: none.
    basis
        Ω ``(N, N - 1)``, orthonormal columns of zero sum, where products are those of ``Ωᵀ Z``; ``(0, 0)``:
        products are those of Z.
    """

    kind: int
    spare: float
    prior: float
    resting: float
    rtpp: float
    factor: float
    rotation: Array
    basis: Array


@compiled
def weigh(g: Array, b: Array, e: Array, prior: float, how: How) -> Array:
    """Return W, shape ``(N, N)``.

    Parameters
    ----------
    g
        G in the lower triangle, shape ``(r, r)``; overwritten.
    b
        Shape ``(r,)``.
    e
        Z R⁻¹ ε of all members ``(N, N)`` of a `Kind.PERTURBED`, else of any shape.
    prior
        c.
    """
    for i in range(len(b)):
        g[i, i] += prior
    rows, values = g, np.empty(len(b))
    symmetric(g, values)
    w = _from_eigen(rows, (rows_dot(rows, b) / values))
    if how.kind == 0:
        t = _product(rows, np.sqrt(how.spare / values))
    elif how.kind == 1:
        t = _product(rows, np.sqrt(how.spare / prior) * 0.5 * (1.0 + prior / values))
    else:
        t = _product(rows, 1.0 / values)
        t = t * (np.sqrt(how.spare / prior) * prior) + matmul(t, e)
    if len(how.basis):
        t = matmul(matmul(how.basis, t), how.basis.T.copy())
        w = rows_dot(how.basis, w)
    return finished(t, w, how)


@compiled
def rest(prior: float, how: How) -> Array:
    """Return W of a place where nothing is seen, shape ``(N, N)``."""
    n = int(how.spare) + 1
    t = np.zeros((n, n))
    for i in range(n):
        t[i, i] = (how.spare / prior) ** (0.5 * how.resting)
    return finished(t, np.zeros(n), how)


@compiled
def rows_dot(rows: Array, b: Array) -> Array:
    """Return the product of a matrix and a vector, summed in order."""
    out = np.empty(len(rows))
    for k in range(len(rows)):
        total = 0.0
        for i in range(len(b)):
            total += rows[k, i] * b[i]
        out[k] = total
    return out


@compiled
def _from_eigen(rows: Array, parts: Array) -> Array:
    out = np.zeros(len(parts))
    for k in range(len(parts)):
        for i in range(len(parts)):
            out[i] += parts[k] * rows[k, i]
    return out


@compiled
def _product(rows: Array, values: Array) -> Array:
    """Return Σ_k values_k u_k u_kᵀ for vectors u in rows."""
    n = len(values)
    out = np.zeros((n, n))
    for k in range(n):
        for i in range(n):
            part = values[k] * rows[k, i]
            for j in range(i + 1):
                out[i, j] += part * rows[k, j]
    for i in range(n):
        for j in range(i):
            out[j, i] = out[i, j]
    return out


@compiled
def matmul(a: Array, b: Array) -> Array:
    """Return the product of two matrices, each element summed in order."""
    out = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            part = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += part * b[k, j]
    return out


@compiled
def finished(t: Array, w: Array, how: How) -> Array:
    """Return ``w 1ᵀ + T`` with T relaxed, widened and rotated; `t` is overwritten."""
    n = len(w)
    if how.rtpp != 0.0 or how.factor != 1.0:
        for i in range(n):
            for j in range(n):
                t[i, j] *= how.factor * (1.0 - how.rtpp)
            t[i, i] += how.factor * how.rtpp
    if len(how.rotation):
        t = matmul(t, how.rotation)
    for i in range(n):
        for j in range(n):
            t[i, j] += w[i]
    return t
