"""Steps of the Lorenz-96 model, compiled: the operations of torch in the same order, so the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


@compiled
def advanced(x: Array, forcing: Array, h: float, steps: int) -> Array:
    """Return `x`, shape ``(member, n)``, after so many Runge-Kutta steps of length `h`.

    Parameters
    ----------
    forcing
        Shape ``(member,)``.
    """
    members, n = x.shape
    out = np.empty((members, n))
    # two points before the first and one after the last, so that neighbours lie in a row
    k, y, total = np.empty(n), np.empty(n + 3), np.empty(n)
    for m in range(members):
        now, f = out[m], forcing[m]
        now[:] = x[m]
        for _ in range(steps):
            y[2:-1] = now
            for stage in range(4):
                y[0], y[1], y[n + 2] = y[n], y[n + 1], y[2]
                for i in range(n):
                    k[i] = (y[i + 3] - y[i]) * y[i + 1] - y[i + 2] + f
                weight = 1.0 if stage in (0, 3) else 2.0
                ahead = h if stage == 2 else 0.5 * h
                for i in range(n):
                    total[i] = k[i] if stage == 0 else total[i] + weight * k[i]
                    y[i + 2] = now[i] + ahead * k[i]
            for i in range(n):
                now[i] = now[i] + (h / 6.0) * total[i]
    return out
