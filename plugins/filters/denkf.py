"""The deterministic ensemble Kalman filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.plugins.filters.anywhere import analysis
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.local.work import work
from tradewind.plugins.filters.options import DEnKFOptions
from tradewind.plugins.filters.transform.weights import Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class DEnKF:
    """Filter ``denkf``: Sakov and Oke (2008, doi 10.1111/j.1600-0870.2007.00299.x), optionally localised.

    The mean moves with the gain K, perturbations with half of it: ``X' - ½ K H X'``. Without perturbed
    observations, the covariance is right to first order in ``K H``, and too large beyond.
    """

    method = Method("denkf", Kind.HALF)

    def __init__(self, options: DEnKFOptions | None = None) -> None:
        self.options = options or DEnKFOptions()
        self._analysis = analysis(self.method, self.options)

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; see `LETKF.analyse`."""
        return self._analysis(ensemble, observations)

    def work(
        self, longitude: NDArray[np.float64], latitude: NDArray[np.float64], observations: Observations
    ) -> NDArray[np.float64]:
        """Return the cost of the analysis at each place, shape ``(cell,)``: see `WeighsWork`."""
        return work(longitude, latitude, observations, self.options.localization)
