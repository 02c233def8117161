"""The deterministic ensemble Kalman filter."""

from __future__ import annotations

from tradewind.plugins.filters.anywhere import PlaceByPlace
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.options import DEnKFOptions
from tradewind.plugins.filters.transform.weights import Kind


class DEnKF(PlaceByPlace):
    """Filter ``denkf``: Sakov and Oke (2008, doi 10.1111/j.1600-0870.2007.00299.x), optionally localised.

    The mean moves with the gain K, perturbations with half of it: ``X' - ½ K H X'``. Without perturbed
    observations, the covariance is right to first order in ``K H``, and too large beyond.
    """

    method = Method("denkf", Kind.HALF)

    def __init__(self, options: DEnKFOptions | None = None) -> None:
        super().__init__(options or DEnKFOptions())
