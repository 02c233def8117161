"""Column averages, as a satellite retrieves them or a spectrometer on the ground."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.coupling.units import conversion
from tradewind.plugins.observations.options import ColumnOptions
from tradewind.plugins.observations.reading.formats import FORMATS
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.reading.soundings import Soundings
from tradewind.plugins.observations.sampled import OUTSIDE, SampledInTime
from tradewind.plugins.observations.sampling.horizontal import cells_at
from tradewind.plugins.observations.sampling.kernels import Retrievals, retrievals
from tradewind.plugins.observations.sampling.levels import level_of
from tradewind.plugins.observations.sampling.rows import NOWHERE, Rows, weighted_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

PPB = "1e-9"


class ColumnOperator(SampledInTime):
    """Operator ``column``: dry-air column averages.

    Of an export that is a column average already it reads the cells. Of one by layer it makes what a
    retrieval with averaging kernel AK, prior profile a and pressure weights h would make of it,
    ``X = Σ_l h_l (a_l + AK_l (c_l - a_l))`` (Rodgers and Connor, 2003, doi:10.1029/2002JD002299).

    Raises
    ------
    UnitsError
        When the observed variable is no mole fraction.
    ConfigError
        When it has levels and no retrieval is told, or the other way round.
    """

    options: ColumnOptions

    def __init__(self, options: ColumnOptions, observed: Observed) -> None:
        conversion(observed.variable.units, PPB)
        known = FORMATS[options.format].retrieval
        self.retrieval = options.retrieval or (known if observed.extra else None)
        if self.retrieval is None:
            level_of(observed, None, "tell the `retrieval`")
        self._retrievals: Retrievals | None = None
        super().__init__(options, observed)
        if known is not None and self.retrieval is None:
            self._told.append(f"averaging kernels are not applied: {observed.port} has no layers")

    @property
    def besides(self) -> Mapping[str, str]:
        """Kernels, priors, weights and pressures, where a retrieval is told, or the format has one."""
        return {} if self.retrieval is None else self.retrieval.named

    def sifted(self, soundings: Soundings) -> Sieve:
        """Return the observations of one file; kernels of other parts of the world are not kept."""
        sieve = super().sifted(soundings)
        if self.retrieval is not None:
            places = cells_at(sieve.kept, self.observed, self.options.sampling)
            sieve.drop(OUTSIDE, ~places.found)
        return sieve

    def sample(self, sieve: Sieve) -> Rows:
        """Return the cells around each place, with the weights of their layers."""
        if self.retrieval is None:
            return cells_at(sieve.kept, self.observed, self.options.sampling)
        found = retrievals(sieve, self.observed, self.retrieval)
        places = cells_at(sieve.kept, self.observed, self.options.sampling)
        at, row = places.of[:, 0], np.arange(len(sieve.kept))
        self._retrievals = found.take(at != NOWHERE)
        # a kernel of its own for each
        matrix = weighted_levels(places.matrix[at], found.layers)
        return Rows(matrix, np.where(at != NOWHERE, row, NOWHERE)[:, None])

    def constant(self) -> Array:
        """Return what the prior profile contributes, shape ``(m,)``.

        A background that is a number is air like any other: what the kernel does not see of it is left out.
        """
        if self._retrievals is None:
            return super().constant()
        said = self.options.background
        everywhere = said if isinstance(said, float) else 0.0
        unseen = self._retrievals.layers.sum(axis=-1) - 1.0
        return np.asarray(self._retrievals.constant + everywhere * unseen)
