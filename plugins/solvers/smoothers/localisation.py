"""Weights of observations on elements of a control, by their distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from tradewind.couplers.assimilation.places import from_straight, positions
from tradewind.errors import DataError
from tradewind.plugins.filters.options import Taper
from tradewind.plugins.solvers.smoothers.options import LocalisationOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Control, Observations

    Array: TypeAlias = NDArray[np.float64]


class Localisation:
    """Weights rho of observations on the elements of a control.

    An element without a place is seen by every observation, with weight 1.

    Parameters
    ----------
    control
        Whose `places` count.
    """

    def __init__(self, options: LocalisationOptions, control: Control) -> None:
        self.options = options
        longitude, latitude = control.places
        self.placed = np.isfinite(longitude) & np.isfinite(latitude)
        self._points = positions(longitude[self.placed], latitude[self.placed], options.distance)

    def weights(self, seen: Observations) -> Tensor:
        """Return rho, shape ``(n, m)``.

        Raises
        ------
        DataError
            Observations without places.
        """
        missing = [name for name in ("longitude", "latitude") if name not in seen.coordinates]
        if missing:
            what = f"observations have no {' and no '.join(missing)}"
            raise DataError(what, where="localization", hint="give their places, or leave it out")
        lon, lat = (np.asarray(seen.coordinates[k], dtype=np.float64) for k in ("longitude", "latitude"))
        straight = cdist(self._points, positions(lon, lat, self.options.distance))
        out = np.ones((len(self.placed), len(seen)))
        out[self.placed] = tapered(from_straight(straight, self.options.distance), self.options)
        return torch.from_numpy(out)


def tapered(distance: Array, options: LocalisationOptions) -> Array:
    """Return the weights at distances, in the unit of the radius; 0 beyond it."""
    support = options.support or options.radius
    if options.taper is Taper.BOXCAR:
        weight = np.ones_like(distance)
    elif options.taper is Taper.EXPONENTIAL:
        weight = np.exp(-distance / support)
    else:
        weight = gaspari_cohn(distance / support)
    return np.where(distance <= options.radius, weight, 0.0)


def gaspari_cohn(distance: Array) -> Array:
    """Return the fifth-order function of Gaspari and Cohn (1999, eq. 4.10), zero from distance 1.

    Parameters
    ----------
    distance
        As a part of the radius 2c.
    """
    r = np.minimum(2.0 * np.asarray(distance, dtype=np.float64), 2.0)
    inner = (((-0.25 * r + 0.5) * r + 0.625) * r - 5 / 3) * r**2 + 1.0
    safe = np.maximum(r, 1.0)
    outer = ((((safe / 12 - 0.5) * safe + 0.625) * safe + 5 / 3) * safe - 5.0) * safe + 4.0 - 2 / (3 * safe)
    return np.where(r >= 2.0, 0.0, np.where(r <= 1.0, inner, outer))
