"""What left the sources and what arrived, exchange by exchange and period by period."""

from __future__ import annotations

from typing import NamedTuple

from tradewind.couplers.coupling.component import Interval


class LedgerEntry(NamedTuple):
    """What one exchange moved in one of its periods, all in the import's units.

    Intensive fields (kg m-2 s-1) are integrated over the areas that the models use, so there the units are
    times steradian; amounts (kg, kg s-1) are added up. NaN where a grid of points has no areas. What left
    is counted at the source's own steps, what arrived at the target's.

    Attributes
    ----------
    exchange
        Its name, ``source -> target``.
    interval
        The period in which it was delivered; with a lag, it left earlier.
    left, arrived
        Integrals on either side, means over the period, all members and levels added.
    unmapped
        Of what left: from where the target's grid does not reach.
    withheld
        Of what was regridded: kept back by a fraction of the target's cells.
    """

    exchange: str
    interval: Interval
    left: float
    arrived: float
    unmapped: float = 0.0
    withheld: float = 0.0

    @property
    def difference(self) -> float:
        """What arrived, was unmapped or withheld, less what left."""
        return self.arrived + self.unmapped + self.withheld - self.left

    @property
    def residual(self) -> float:
        """The difference over what left; the plain difference when nothing left."""
        return self.difference / (abs(self.left) or 1.0)
