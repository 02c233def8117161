"""Statistics of departures: how far simulations are from what was observed, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.diagnostics.sample import Sample, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Mean, standard deviation and root mean square of departures: ``rms² = mean² + sd²``.

    NaN where there is nothing to count; values that are not known (NaN) are left out.
    """

    count: int
    mean: float
    sd: float
    rms: float

    @classmethod
    def of(cls, values: Array) -> Moments:
        """Return the moments of `values`, shape ``(m,)``; divided by m."""
        known = values[np.isfinite(values)]
        if not len(known):
            return cls(0, float("nan"), float("nan"), float("nan"))
        return cls(len(known), float(known.mean()), float(known.std()), float(np.sqrt((known**2).mean())))


@dataclass(frozen=True)
class Innovations:
    """Departures observed minus simulated, in the observations' units.

    Attributes
    ----------
    before
        Of the background, ``y - H x_b``: with unbiased errors their mean is 0.
    after
        Of the analysis, ``y - H x_a``.
    """

    before: Moments
    after: Moments

    @classmethod
    def of(cls, sample: Sample) -> Innovations:
        """Return the statistics of `sample`."""
        return cls(Moments.of(sample.before), Moments.of(sample.after))

    @property
    def reduction(self) -> float:
        """By which fraction the mean square has become smaller, ``1 - <d_a²> / <d_b²>``."""
        return 1.0 - ratio(self.after.rms**2, self.before.rms**2)
