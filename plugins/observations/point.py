"""Values at a place: stations, ships, aircraft, tide gauges."""

from __future__ import annotations

from tradewind.couplers.assimilation.observing import Observed
from tradewind.plugins.observations.options import PointOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.sampled import SampledInTime
from tradewind.plugins.observations.sampling.horizontal import sampled
from tradewind.plugins.observations.sampling.levels import level_of
from tradewind.plugins.observations.sampling.rows import Rows, at_level, by_place


class PointOperator(SampledInTime):
    """Operator ``point``: a variable, or one level of it, read at places."""

    options: PointOptions

    def __init__(self, options: PointOptions, observed: Observed) -> None:
        self._level = level_of(observed, options.level)
        super().__init__(options, observed)

    @property
    def wanted_units(self) -> str:
        """Units that the observed variable must have."""
        return self.options.units or self.observed.variable.units

    def sample(self, sieve: Sieve) -> Rows:
        """Return the cells around each place."""
        read, grid = sieve.kept, self.observed.layout.grid
        rows = by_place(
            lambda lon, lat: sampled(self.options.sampling, grid, lon, lat), read.longitude, read.latitude
        )
        if self._level is None:
            return rows
        return Rows(at_level(rows.matrix, self._level, self.observed.extra[0]), rows.of)
