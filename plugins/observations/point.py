"""Values at a place: stations, ships, aircraft, tide gauges."""

from __future__ import annotations

from tradewind.couplers.assimilation.observing import Observed
from tradewind.plugins.observations.options import PointOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.sampled import SampledInTime
from tradewind.plugins.observations.sampling.horizontal import cells_at
from tradewind.plugins.observations.sampling.levels import level_of
from tradewind.plugins.observations.sampling.rows import Rows, at_level


class PointOperator(SampledInTime):
    """Operator ``point``: a variable, or one level of it, read at places.

    Raises
    ------
    ConfigError
        When the variable has levels and none is picked.
    """

    options: PointOptions

    def __init__(self, options: PointOptions, observed: Observed) -> None:
        self._level = level_of(observed, options.level)
        super().__init__(options, observed)

    @property
    def variable_units(self) -> str:
        """Units that the observed variable must have."""
        return self.options.units or super().variable_units

    def sample(self, sieve: Sieve) -> Rows:
        """Return the cells around each place."""
        rows = cells_at(sieve.kept, self.observed, self.options.sampling)
        return at_level(rows, self._level, self.observed.extra)
