"""Profiles: values at heights or pressures of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.assimilation.observing import Observed
from tradewind.plugins.observations.options import ProfileOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.sampled import SampledInTime
from tradewind.plugins.observations.sampling.horizontal import sampled
from tradewind.plugins.observations.sampling.levels import between_levels, coordinates_of
from tradewind.plugins.observations.sampling.rows import Rows, by_place, weighted_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices: TypeAlias = NDArray[np.int64]


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
        """The heights."""
        return {"vertical": self.options.vertical}

    def sample(self, sieve: Sieve) -> Rows:
        """Return the cells around each place, and the levels around each height."""
        height = sieve.kept.more["vertical"]
        beyond = (height < self.levels.min()) | (height > self.levels.max())
        sieve.drop(f"its {self.options.vertical} is beyond the levels", beyond)
        read, grid, sampling = sieve.kept, self.observed.layout.grid, self.options.sampling
        return by_place(
            lambda lon, lat, z: weighted_levels(
                sampled(sampling, grid, lon, lat), between_levels(self.levels, z).toarray()
            ),
            read.longitude, read.latitude, read.more["vertical"],
        )  # fmt: skip

    def coordinates(self, which: Indices) -> Mapping[str, Any]:
        """Return where the observations are, their heights included."""
        return {**super().coordinates(which), "vertical": self.soundings.more["vertical"][which]}
