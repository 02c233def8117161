"""Profiles: values at heights or pressures of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.coupling.units import convertible, factor
from tradewind.errors import ConfigError
from tradewind.plugins.observations.options import ProfileOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.reading.soundings import Soundings
from tradewind.plugins.observations.sampled import SampledInTime
from tradewind.plugins.observations.sampling.horizontal import sampled
from tradewind.plugins.observations.sampling.kernels import PRESSURE
from tradewind.plugins.observations.sampling.levels import (
    are_fractions,
    between_levels,
    coordinates_of,
    interfaces_of,
)
from tradewind.plugins.observations.sampling.rows import Rows, by_place, weighted_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Indices: TypeAlias = NDArray[np.int64]

GROUND = "surface pressure"
METRES = "m"


class ProfileOperator(SampledInTime):
    """Operator ``profile``: a variable with levels, read at places and heights, linear between levels.

    Raises
    ------
    ConfigError
        When the variable has no levels, or nothing tells their coordinates.
    """

    options: ProfileOptions

    def __init__(self, options: ProfileOptions, observed: Observed) -> None:
        self.levels = coordinates_of(observed, options.levels)
        super().__init__(options, observed)

    @property
    def besides(self) -> Mapping[str, str]:
        """The heights, and the pressure at the ground where it is a variable."""
        ground = self.options.surface_pressure
        named = {GROUND: ground} if isinstance(ground, str) else {}
        return {"vertical": self.options.vertical, **named}

    def sample(self, sieve: Sieve) -> Rows:
        """Return the cells around each place, and the levels around each height.

        Where the levels' interfaces are known, values are constant beyond the middle of the outermost.
        """
        height = self._coordinate(sieve.kept)
        between = interfaces_of(self.observed, self.options.levels)
        reach = self.levels if between is None else between
        beyond = (height < reach.min()) | (height > reach.max())
        sieve.drop(f"its {self.options.vertical} is beyond the levels", beyond)
        read, grid, sampling = sieve.kept, self.observed.layout.grid, self.options.sampling
        return by_place(
            lambda lon, lat, z: weighted_levels(
                sampled(sampling, grid, lon, lat), between_levels(self.levels, z).toarray()
            ),
            read.longitude, read.latitude, np.clip(height[~beyond], self.levels.min(), self.levels.max()),
        )  # fmt: skip

    def _coordinate(self, read: Soundings) -> Array:
        """Return heights in the coordinate of the levels.

        Raises
        ------
        ConfigError
            When levels are fractions of the pressure at the ground, and nothing tells how heights are.
        """
        height, units = read.more["vertical"], read.units["vertical"] or "1"
        if not are_fractions(self.levels):
            return height
        scale, ground = self.options.scale_height, self.options.surface_pressure
        if scale is not None and convertible(units, METRES):
            return np.asarray(np.exp(-height * factor(units, METRES) / scale))
        if ground is not None and convertible(units, PRESSURE):
            return np.asarray(height / self._ground(read, units))
        if convertible(units, METRES) or convertible(units, PRESSURE):
            what = f"the levels of {self.observed.port} are fractions of the pressure at the ground"
            raise ConfigError(what, hint="give `surface_pressure`, or `scale_height` for heights")
        return height

    def _ground(self, read: Soundings, units: str) -> Array | float:
        said = self.options.surface_pressure
        return said if isinstance(said, float) else read.more[GROUND] * factor(read.units[GROUND], units)

    def coordinates(self, which: Indices) -> Mapping[str, Any]:
        """Return where the observations are, their heights included."""
        return {**super().coordinates(which), "vertical": self.soundings.more["vertical"][which]}
