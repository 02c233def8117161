"""Column averages, as a satellite retrieves them or a spectrometer on the ground."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.coupling.units import conversion
from tradewind.plugins.observations.options import ColumnOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.sampled import SampledInTime
from tradewind.plugins.observations.sampling.horizontal import sampled
from tradewind.plugins.observations.sampling.levels import level_of
from tradewind.plugins.observations.sampling.rows import Rows, by_place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

PPB = "1e-9"


class ColumnOperator(SampledInTime):
    """Operator ``column``: dry-air column averages.

    Raises
    ------
    UnitsError
        When the observed variable is no mole fraction.
    """

    options: ColumnOptions

    def __init__(self, options: ColumnOptions, observed: Observed) -> None:
        conversion(observed.variable.units, PPB)
        level_of(observed, None)
        super().__init__(options, observed)

    def sample(self, sieve: Sieve) -> Rows:
        """Return the cells around each place."""
        read, grid = sieve.kept, self.observed.layout.grid
        return by_place(
            lambda lon, lat: sampled(self.options.sampling, grid, lon, lat), read.longitude, read.latitude
        )
