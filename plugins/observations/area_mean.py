"""Means over areas: around a place, or of a region."""

from __future__ import annotations

from collections.abc import Mapping

from tradewind.couplers.assimilation.observing import Observed
from tradewind.errors import ConfigError
from tradewind.plugins.observations.options import AreaMeanOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.sampled import SampledInTime
from tradewind.plugins.observations.sampling.areas import regional_means, round_means
from tradewind.plugins.observations.sampling.levels import level_of
from tradewind.plugins.observations.sampling.rows import Rows, at_level, by_place

REGION = "region"


class AreaMeanOperator(SampledInTime):
    """Operator ``area-mean``: the mean of a variable over cells, weighted by their areas.

    Raises
    ------
    ConfigError
        When neither a radius nor regions are given, or both.
    """

    options: AreaMeanOptions

    def __init__(self, options: AreaMeanOptions, observed: Observed) -> None:
        if (options.radius is None) == (options.regions is None):
            raise ConfigError("over which area is the mean?", hint="give `radius`, or `regions`")
        self._level = level_of(observed, options.level)
        super().__init__(options, observed)

    @property
    def besides(self) -> Mapping[str, str]:
        """The label of the region of each observation."""
        return {} if self.options.regions is None else {REGION: self.options.region}

    def sample(self, sieve: Sieve) -> Rows:
        """Return the cells of each area."""
        rows = self._horizontal(sieve)
        return at_level(rows, self._level, self.observed.extra)

    def _horizontal(self, sieve: Sieve) -> Rows:
        read, grid, options = sieve.kept, self.observed.layout.grid, self.options
        if options.regions is not None:
            file = options.regions
            return by_place(lambda label: regional_means(grid, file, label), read.more[REGION])
        radius = options.radius or 0.0
        return by_place(lambda lon, lat: round_means(grid, lon, lat, radius), read.longitude, read.latitude)
