"""How the weight of an observation falls with its distance."""

from __future__ import annotations

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.plugins.filters.options import Taper

NUMBERS = {Taper.GASPARI_COHN: 0, Taper.BOXCAR: 1, Taper.EXPONENTIAL: 2}
"""What kernels call them."""


@compiled
def taper(kind: int, distance: float, support: float) -> float:
    """Return the weight at a distance of at most the radius; `kind` is one of `NUMBERS`."""
    if kind == 1:
        return 1.0
    if kind == 2:
        return float(np.exp(-distance / support))
    return gaspari_cohn(distance, support)


@compiled
def gaspari_cohn(distance: float, support: float) -> float:
    """Return the compactly supported correlation of Gaspari and Cohn (1999, eq. 4.10), 0 from `support` on.

    With r = d/(s/2): ``1 - 5/3 r² + 5/8 r³ + 1/2 r⁴ - 1/4 r⁵`` up to r = 1, then
    ``4 - 5r + 5/3 r² + 5/8 r³ - 1/2 r⁴ + 1/12 r⁵ - 2/(3r)``.
    """
    if distance == 0.0:
        return 1.0
    if distance >= support:
        return 0.0
    r = distance / (0.5 * support)
    if r <= 1.0:
        return 1.0 + r * r * (-5.0 / 3.0 + r * (5.0 / 8.0 + r * (0.5 - 0.25 * r)))
    far = 4.0 + r * (-5.0 + r * (5.0 / 3.0 + r * (5.0 / 8.0 + r * (-0.5 + r / 12.0)))) - 2.0 / (3.0 * r)
    return max(far, 0.0)
