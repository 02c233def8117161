"""Means over time: of samplers, filters, daily values."""

from __future__ import annotations

from tradewind.couplers.assimilation.observing import Observed
from tradewind.errors import ConfigError
from tradewind.plugins.observations.options import TimeMeanOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.sampled import Sampled
from tradewind.plugins.observations.sampling.horizontal import cells_at
from tradewind.plugins.observations.sampling.levels import level_of
from tradewind.plugins.observations.sampling.rows import Rows, at_level
from tradewind.plugins.observations.timing.parts import MeanBefore, Timing


class TimeMeanOperator(Sampled):
    """Operator ``time-mean``: the mean over the steps in the time before an observation.

    Raises
    ------
    ConfigError
        When the duration is no whole number of steps.
    """

    options: TimeMeanOptions

    def __init__(self, options: TimeMeanOptions, observed: Observed) -> None:
        self._steps, left = divmod(options.duration, observed.step)
        if left or not self._steps:
            what = f"a mean over {options.duration} is no whole number of steps of {observed.step}"
            raise ConfigError(what, hint="see `duration`")
        self._level = level_of(observed, options.level)
        super().__init__(options, observed)

    @property
    def timing(self) -> Timing:
        """The steps before an observation."""
        return MeanBefore(self._steps)

    def sample(self, sieve: Sieve) -> Rows:
        """Return the cells around each place."""
        rows = cells_at(sieve.kept, self.observed, self.options.sampling)
        return at_level(rows, self._level, self.observed.extra)
