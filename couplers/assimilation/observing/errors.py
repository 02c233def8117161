"""Errors of observations: larger than the file says, or knowing of each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tradewind.couplers.assimilation.contracts import Observations
from tradewind.couplers.assimilation.covariance import (
    Correlation,
    Covariance,
    DenseCovariance,
    DiagonalCovariance,
    dense,
)
from tradewind.couplers.assimilation.observing.boxes import known
from tradewind.couplers.assimilation.observing.prepared import Remade
from tradewind.couplers.assimilation.places import positions, separations
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Other errors than those of the file: ``So_ij = f² sigma_i sigma_j c(d_ij) exp(-|t_i - t_j| / T)``.

    Attributes
    ----------
    inflation
        f.
    correlation
        c; None: errors know nothing of each other.
    time
        T; None: nor do those of different times. Those at different heights never do.
    """

    inflation: float = 1.0
    correlation: Correlation | None = None
    time: timedelta | None = None

    def __call__(self, observations: Observations, window: Interval) -> Remade:
        """Return the observations with these errors.

        Raises
        ------
        DataError
            When the correlations make no covariance of them.
        """
        if observations.covariance is None:
            return Remade(observations)
        own = observations.covariance
        if self.correlation is None and not isinstance(own, DiagonalCovariance):
            return Remade(replace(observations, covariance=DenseCovariance(dense(own) * self.inflation**2)))
        sigma = self.inflation * own.diagonal().sqrt().numpy()
        return Remade(replace(observations, covariance=self._covariance(sigma, observations, window)))

    def _covariance(self, sigma: Array, observations: Observations, window: Interval) -> Covariance:
        if self.correlation is None:
            return DiagonalCovariance(torch.from_numpy(sigma**2))
        matrix = sigma[:, None] * sigma * correlations(self.correlation, self.time, observations)
        try:
            return DenseCovariance(torch.from_numpy(matrix))
        except DataError as error:
            length = f"{self.correlation.length:g} {self.correlation.distance}"
            what = f"a {self.correlation.kernel} kernel of {length} is no covariance of {len(sigma)} errors"
            raise DataError(
                what, where=f"observations, {window}",
                hint="some are at the same place and time, or too near: `superobs`, or a shorter length",
            ) from error  # fmt: skip

    def note(self, before: int, after: int) -> str:
        """Return nothing: no observation is lost."""
        return ""


def correlations(correlation: Correlation, time: timedelta | None, observations: Observations) -> Array:
    """Return how errors go together, shape ``(m, m)``."""
    longitude, latitude = known(observations, "longitude"), known(observations, "latitude")
    at = positions(longitude, latitude, correlation.distance)
    found = correlation.of(separations(at, at, correlation.distance))
    made = known(observations, "time").astype("datetime64[us]")
    apart = np.abs(made[:, None] - made) / np.timedelta64(1, "s")
    found = found * (apart == 0.0 if time is None else np.exp(-apart / time.total_seconds()))
    if "vertical" in observations.coordinates:
        height = known(observations, "vertical")
        found = found * (height[:, None] == height)
    return np.asarray(found)
