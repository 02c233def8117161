"""The Kalman mode: what one period leaves is what the next begins with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from tradewind.couplers.assimilation.covariance import Covariance, DenseCovariance, dense
from tradewind.couplers.coupling.component import Interval
from tradewind.plugins.solvers.inversion.inverting import Analysis, Inversion, Rows
from tradewind.plugins.solvers.options import AnalyticalOptions
from tradewind.plugins.solvers.products.sums import Guess, Products


@dataclass(frozen=True)
class Period:
    """Windows that are analysed together.

    Attributes
    ----------
    numbers
        Of the windows.
    products
        What they say.
    rows
        What the products were made from, where that is kept.
    """

    windows: Sequence[Interval]
    numbers: range
    products: Products
    rows: Rows | None = None


@dataclass(frozen=True)
class Rolled:
    """A period's analysis, and what it began with."""

    period: Period
    before: Guess
    analysis: Analysis


@dataclass(frozen=True)
class Rolling:
    """From a period to the next one.

    The next prior mean is ``xA + (1 - nudge) (xhat - xA)``. Its covariance is Sa again, or else that of a
    first-order autoregressive process that forgets as fast and whose spread without observations stays Sa:
    ``(1 - nudge)² S + (1 - (1 - nudge)²) Sa``. With a nudge of zero it is S: then all periods in turn give
    what they give at once.

    Attributes
    ----------
    nudge
        How far the prior is pulled back.
    carried
        Whether the covariance follows from the posterior's.
    """

    nudge: float = 0.0
    carried: bool = False

    def next(self, first: Guess, after: Analysis) -> Guess:
        """Return the guess of the next period."""
        kept = 1.0 - self.nudge
        mean = first.mean + kept * (after.mean - first.mean)
        if not self.carried:
            return Guess(mean, first.covariance)
        return Guess(mean, self._spread(first.covariance, after))

    def _spread(self, first: Covariance, after: Analysis) -> Covariance:
        kept = (1.0 - self.nudge) ** 2
        spread = kept * after.posterior.covariance
        return DenseCovariance(spread if kept == 1.0 else spread + (1.0 - kept) * dense(first))


def rolling(options: AnalyticalOptions) -> Rolling:
    """Return how periods follow one another by a solver's settings."""
    return Rolling(options.nudge, options.carry_covariance)


def roll(
    inversion: Inversion, periods: Sequence[Period], first: Guess, gamma: float | Literal["auto"]
) -> Iterator[Rolled]:
    """Yield the analyses of all periods, in turn."""
    guess, how = first, rolling(inversion.options)
    for period in periods:
        analysis = inversion.analyse(period.products, guess, gamma, period.rows)
        yield Rolled(period, guess, analysis)
        guess = how.next(first, analysis)


def cut(windows: Sequence[Interval], every: timedelta | None) -> list[range]:
    """Return the numbers of the windows of each period, counted from the first window's start.

    A window belongs to the period in which it begins; periods in which none begins are left out.
    """
    if every is None or not windows:
        return [range(len(windows))]
    start = windows[0].start
    which = [(window.start - start) // every for window in windows]
    edges = [i for i in range(len(which)) if i == 0 or which[i] != which[i - 1]]
    return [range(a, b) for a, b in zip(edges, [*edges[1:], len(which)], strict=True)]


def told(rolled: Rolled) -> dict[str, Any]:
    """Return what the posterior's details say of a period."""
    analysis, windows = rolled.analysis, rolled.period.windows
    return {
        "start": windows[0].start,
        "stop": windows[-1].stop,
        "prior": rolled.before.mean,
        "mean": analysis.mean,
        "sigma": analysis.posterior.covariance.diagonal().sqrt(),
        "dofs": analysis.dofs,
        "gamma": analysis.gamma,
        "observations": rolled.period.products.observations,
        "prior_cost_per_element": analysis.prior_cost / len(analysis.mean),
    }
