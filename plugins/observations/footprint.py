"""Footprints: sensitivities of an observation to a flux, made beforehand by a transport model."""

from __future__ import annotations

import numpy as np

from tradewind.couplers.assimilation.observing import Observed
from tradewind.errors import ConfigError
from tradewind.plugins.observations.options import FootprintOptions
from tradewind.plugins.observations.reading.files import Files
from tradewind.plugins.observations.reading.footprints import Footprints, joined_footprints
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.reading.soundings import Reader
from tradewind.plugins.observations.sampled import Sampled
from tradewind.plugins.observations.sampling.rows import Rows
from tradewind.plugins.observations.timing.parts import Lags, Timing


class FootprintOperator(Sampled):
    """Operator ``footprint``: ``y = Σ_k Σ_c f_kc flux_c(t - k lag)``, with f of a file.

    The flux at time t is that of the step that ends there. A lag of several steps sees their mean. What
    lies before the window is not seen: it belongs to the background.

    Raises
    ------
    ConfigError
        When the lag is no whole number of steps, or the flux has levels.
    DataError
        When footprints are of another grid.
    """

    options: FootprintOptions

    def __init__(self, options: FootprintOptions, observed: Observed) -> None:
        self._each, left = divmod(options.lag or observed.step, observed.step)
        if left or not self._each:
            what = f"a lag of {options.lag} is no whole number of steps of {observed.step}"
            raise ConfigError(what, hint="see `lag`")
        if observed.extra:
            raise ConfigError(f"{observed.port} has levels", hint="observe a flux without")
        super().__init__(options, observed)

    @property
    def units(self) -> str:
        """Units of the observations."""
        return self.options.units

    @property
    def timing(self) -> Timing:
        """Every step of every lag."""
        return Lags(np.arange(self._footprints.lags * self._each), 1.0 / self._each)

    def read(self, files: Files, reader: Reader) -> Sieve:
        """Return the observations of all files whose footprints can be used too."""
        both = files.each(
            lambda file: (Footprints.read(file, self.options, self.observed), self.sifted(reader(file)))
        )
        footprints, sieves = zip(*both.values(), strict=True)
        self._footprints = joined_footprints(footprints)
        return Sieve.joined(sieves)

    def sample(self, sieve: Sieve) -> Rows:
        """Return a row for each lag of each observation."""
        found, lags = self._footprints, self._footprints.lags
        sieve.drop("its footprint is missing", found.missing[sieve.kept.number])
        rows = sieve.kept.number[:, None] * lags + np.arange(lags)
        return Rows(found.rows, np.repeat(rows, self._each, axis=1))
