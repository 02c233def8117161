"""How an ensemble is widened: by given factors, by relaxation, and by factors learnt from innovations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.plugins.filters.options import Adaptive, FilterOptions, Inflation
from tradewind.plugins.filters.rotation import rotation, zero_sums
from tradewind.plugins.filters.transform.applying import Spread
from tradewind.plugins.filters.transform.weights import How, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

NONE = np.zeros((0, 0))
MEMORY = "inflation"
"""Key of what is learnt in `Ensemble.memory`."""


class Method(NamedTuple):
    """What sets one transform apart from another.

    Attributes
    ----------
    name
        Of the filter.
    kind
        What it makes of anomalies.
    resting
        Power of the factor on the forecast spread where nothing is seen: 1 widens, 0 leaves.
    subspace
        Whether products are made in the space of zero sums.
    """

    name: str
    kind: Kind = Kind.ROOT
    resting: float = 1.0
    subspace: bool = False


class Learning(NamedTuple):
    """`Adaptive` as numbers; a variance of 0: nothing is learnt."""

    variance: float = 0.0
    lowest: float = 1.0
    highest: float = 1.0


def how(method: Method, members: int, options: FilterOptions, number: int) -> How:
    """Return how members are weighed in analysis `number`."""
    inflation = options.inflation
    turned = rotation(members, options.seed, number) if options.rotation == "random" else NONE
    return How(
        int(method.kind),
        members - 1.0,
        (members - 1) * inflation.forget / inflation.forecast**2,
        method.resting,
        inflation.rtpp,
        1.0 if inflation.rtps else inflation.analysis,
        turned,
        zero_sums(members) if method.subspace else NONE,
    )


def spread(inflation: Inflation) -> Spread:
    """Return what happens to anomalies cell by cell: only a relaxation of spreads needs it."""
    return Spread(inflation.rtps, inflation.analysis) if inflation.rtps else Spread()


def learning(adaptive: Adaptive | None) -> Learning:
    """Return how a factor on the forecast variance is learnt."""
    if adaptive is None:
        return Learning()
    return Learning(adaptive.error**2, adaptive.lowest, adaptive.highest)


@compiled
def learnt(factor: float, sums: tuple[float, float, float], how_: Learning) -> float:
    """Return the factor on the forecast variance that innovations speak for, blended with `factor`.

    Parameters
    ----------
    sums
        Over the observations, each with its weight ρ and divided by its error variance: Σ ρ d²,
        Σ ρ Var(H x) and Σ ρ.

    Notes
    -----
    ``E d² = R + λ Var(H x)`` (Desroziers et al. 2005; Li et al. 2009, eq. 10), as a Kalman filter of λ whose
    observation has the variance ``2/Σρ ((λ ΣρVar + Σρ)/ΣρVar)²`` (Miyoshi 2011, doi 10.1175/2010MWR3570.1).
    """
    squares, variance, weight = sums
    if how_.variance == 0.0 or weight <= 0.0 or variance <= 0.0:
        return factor
    departure = (squares - weight) / variance - factor
    error = 2.0 / weight * ((factor * variance + weight) / variance) ** 2
    found = factor + how_.variance / (how_.variance + error) * departure
    return float(min(max(found, how_.lowest), how_.highest))
