"""The ensemble Kalman filter with perturbed observations."""

from __future__ import annotations

from tradewind.plugins.filters.anywhere import PlaceByPlace
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.options import EnKFOptions
from tradewind.plugins.filters.transform.weights import Kind


class EnKF(PlaceByPlace):
    """Filter ``enkf``: Burgers et al. (1998), Evensen (2003), optionally localised as `LETKF`.

    Each member is moved by the gain and by observations of its own, ``x_i + K (y + ε_i - H x_i)``; the ε_i
    are drawn from N(0, R), and their mean is taken out (DAPPER's ``PertObs``).
    """

    method = Method("enkf", Kind.PERTURBED)

    def __init__(self, options: EnKFOptions | None = None) -> None:
        super().__init__(options or EnKFOptions())
