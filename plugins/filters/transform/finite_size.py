"""The finite-size ensemble Kalman filter, which needs no tuned inflation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.plugins.filters import inflation as inflating
from tradewind.plugins.filters.checks import notes, seen, total
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.options import FiniteSizeOptions
from tradewind.plugins.filters.transform.analysis import Sums, finished, summed, weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

STEPS = 200
"""At most, to find the factor; Newton's take fewer than ten, halving fewer than a hundred."""


class EnKFN:
    """Filter ``enkf-n``: Bocquet (2011), Bocquet et al. (2015, doi 10.5194/npg-22-645-2015), dual form.

    The forecast covariance is not known, only N members drawn with it: what follows is an `ETKF` whose
    forecast spread is multiplied by the l that minimises, with S = R^(-1/2) Y',

        J(l) = dᵀ (R + l² Y'Y'ᵀ/(N - 1))⁻¹ d / (N - 1) + ε/l² + c ln l²

    ε = (N + 1)/N and c = N/(N - 1), brought together where observations say little so that l tends to 1
    there (their eq. 36), and both multiplied by `certainty`: DAPPER's ``EnKF_N`` with ``xN``, ``g = 0``.
    """

    method = Method("enkf-n")

    def __init__(self, options: FiniteSizeOptions | None = None) -> None:
        self.options = options or FiniteSizeOptions()

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; `details` hold l as ``inflation``. See `ETKF.analyse`."""
        m = total(observations)
        if not m:
            return ensemble
        found = seen(ensemble, observations, self.method.name)
        how = inflating.how(self.method, ensemble.members, self.options, ensemble.number)
        sums = summed(found, observations, m, how, self.options.seed, ensemble.number)
        factor = spread_factor(sums, self.options.certainty)
        weights = weighed(sums, how.prior / factor**2, how)
        done = finished(ensemble, weights, self.options, ensemble.memory, notes(ensemble, found))
        return replace(done, details={**done.details, "inflation": factor})


def spread_factor(sums: Sums, certainty: float) -> float:
    """Return l, the factor on the forecast spread."""
    spare = len(sums.b) - 1.0
    values, vectors = np.linalg.eigh(sums.g)
    values = np.maximum(values, 0.0)
    epsilon, log = hyperprior(values, certainty)
    along = (vectors.T @ sums.b) ** 2

    def slope(t: float) -> float:
        """Return ``l³ J'(l) / 2`` at t = l²."""
        return float(log * t - epsilon - np.sum(along * (t / (t * values + spare)) ** 2))

    low, high = (0.0, 1.0) if slope(1.0) > 0.0 else (1.0, 2.0)
    while slope(high) < 0.0:
        low, high = high, 2.0 * high
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (low, middle) if slope(middle) > 0.0 else (middle, high)
    return float(np.sqrt(0.5 * (low + high)))


def hyperprior(values: Array, certainty: float) -> tuple[float, float]:
    """Return ε and c for eigenvalues of Y' R⁻¹ Y'ᵀ, shape ``(N,)``: Bocquet et al. (2015, eq. 36)."""
    n = len(values)
    epsilon, log = (n + 1.0) / n, n / (n - 1.0)
    unseen = float(np.mean((n - 1.0) / (values + n - 1.0)))
    corrected = (epsilon / log) ** (0.5 * unseen)
    return certainty * epsilon / corrected, certainty * log * corrected
