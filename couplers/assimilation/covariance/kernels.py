"""Correlations that fall with distance, and the covariances that they make.

Lengths L have one meaning throughout: the Matérn correlation of smoothness nu is

    c(d) = 2^(1 - nu) / Gamma(nu) · s^nu · K_nu(s),   s = sqrt(2 nu) d / L

(Rasmussen and Williams, 2006, Gaussian Processes for Machine Learning, eq. 4.14), which is exp(-d/L), the
exponential kernel, for nu = 1/2 and tends to exp(-d² / 2L²), the gaussian kernel, for large nu.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy.special import gammaln, kve

from tradewind.couplers.assimilation.covariance.elementary import DenseCovariance
from tradewind.couplers.assimilation.places import Distance, separations
from tradewind.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

SMOOTH = 1.5
"""Smoothness of a Matérn kernel where none is said."""
SMOOTHEST = 50.0
"""Beyond, a Matérn kernel is a gaussian to 1 %, and Bessel functions overflow."""


MOST = 20_000
"""Places of which a matrix is made: it and its factor then take 6 GB."""
ROWS = 512
"""Rows of a matrix that are made together."""


class Kernel(StrEnum):
    """How a correlation falls with distance."""

    EXPONENTIAL = "exponential"
    GAUSSIAN = "gaussian"
    MATERN = "matern"
    DIFFUSION = "diffusion"


@dataclass(frozen=True)
class Correlation:
    """How errors at different places go together.

    Attributes
    ----------
    length
        L, in the unit of `distance`.
    smoothness
        nu of a Matérn kernel or of the diffusion operator; None: 3/2, of diffusion what four half steps
        give (1 on a surface, 3/2 along a line).
    samples
        Of a diffusion operator: how many random vectors estimate its variances, which are then off by
        ``sqrt(2 / samples)`` (one sigma, relative); None: exact up to 4096 cells, 4000 samples beyond.

    Raises
    ------
    ConfigError
        When a number is not positive and finite, or the smoothness above 50.
    """

    length: float
    kernel: Kernel = Kernel.EXPONENTIAL
    distance: Distance = Distance.KM
    smoothness: float | None = None
    samples: int | None = None

    def __post_init__(self) -> None:
        for name in ("length", "smoothness", "samples"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                what = f"the correlation's {name} is {value}"
                raise ConfigError(what, where="control", hint="it is positive")
        if (self.smoothness or 0.0) > SMOOTHEST:
            what = f"a smoothness of {self.smoothness:g} is more than {SMOOTHEST:g}"
            raise ConfigError(what, where="control", hint="use the gaussian kernel")

    def of(self, distance: Array) -> Array:
        """Return the correlations at distances of any shape.

        Raises
        ------
        ConfigError
            Of the diffusion operator, which is no function of the distance.
        """
        if self.kernel is Kernel.EXPONENTIAL:
            return np.asarray(np.exp(-distance / self.length))
        if self.kernel is Kernel.GAUSSIAN:
            return np.asarray(np.exp(-((distance / self.length) ** 2) / 2.0))
        if self.kernel is Kernel.MATERN:
            return matern(distance / self.length, self.smoothness or SMOOTH)
        raise ConfigError("diffusion is no function of the distance", where="correlation", hint="use matern")


def matern(scaled: Array, smoothness: float) -> Array:
    """Return the Matérn correlation at distances in units of its length, for any nu > 0.

    nu = 1/2, 3/2 and 5/2 are in closed form: ``e^-s``, ``(1 + s) e^-s`` and ``(1 + s + s²/3) e^-s`` with
    ``s = sqrt(2 nu) d / L``.
    """
    s = np.sqrt(2.0 * smoothness) * scaled
    closed = {0.5: 1.0, 1.5: 1.0 + s, 2.5: 1.0 + s + s**2 / 3.0}
    if smoothness in closed:
        return np.asarray(closed[smoothness] * np.exp(-s))
    bessel = kve(smoothness, np.where(s > 0, s, 1.0))
    far = (s > 0) & np.isfinite(bessel)
    log = smoothness * np.log(np.where(far, s, 1.0)) + np.log(np.where(far, bessel, 1.0)) - s
    value = np.exp((1.0 - smoothness) * np.log(2.0) - gammaln(smoothness) + log)
    # where the Bessel function overflows the correlation is all but 1
    return np.where(far, value, 1.0)


def correlated(sigma: float, correlation: Correlation, positions: Array) -> DenseCovariance:
    """Return ``sigma² c(d_ij)`` of places, as a matrix.

    Parameters
    ----------
    sigma
        Standard deviation of each.
    positions
        Of `places.positions`, shape ``(n, 2 or 3)``.

    Raises
    ------
    DataError
        When the kernel makes no covariance of these places: a gaussian one on a sphere or circle can have
        negative eigenvalues, and places that coincide make any kernel singular. Nothing is added to the
        diagonal behind the user's back. More than 20 000 places, whose matrix takes gigabytes.
    """
    matrix = in_space(correlation, positions)
    try:
        return DenseCovariance(torch.from_numpy(sigma**2 * matrix))
    except DataError as error:
        same = len(np.unique(positions, axis=0)) < len(positions)
        why = "some of the places are the same" if same else "too smooth for their spacing, or indefinite"
        hint = "per: site joins them" if same else "a shorter length, or kind: matern"
        what = f"a {correlation.kernel} kernel of length {correlation.length:g} {correlation.distance}"
        raise DataError(
            f"{what} is no covariance of these {len(positions)} places: {why}",
            where="correlation", hint=hint,
        ) from error  # fmt: skip


def in_space(correlation: Correlation, positions: Array) -> Array:
    """Return ``c(d_ij)`` of places, shape ``(n, n)``.

    Parameters
    ----------
    positions
        Of `places.positions`, shape ``(n, 2 or 3)``.

    Raises
    ------
    DataError
        More than 20 000 places, whose matrix takes gigabytes.
    """
    _refuse_many(len(positions))
    matrix = np.empty((len(positions), len(positions)))
    for begin in range(0, len(positions), ROWS):
        some = slice(begin, begin + ROWS)
        matrix[some] = correlation.of(separations(positions[some], positions, correlation.distance))
    return matrix


def _refuse_many(places: int) -> None:
    if places > MOST:
        what = f"{places} places make a matrix of {places**2 * 8 / 2**30:.0f} GiB"
        hint = "kind: diffusion, or fewer elements (per: cluster)"
        raise DataError(what, where="correlation", hint=hint)
