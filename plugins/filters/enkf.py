"""The ensemble Kalman filter with perturbed observations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.plugins.filters.anywhere import analysis
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.local.work import work
from tradewind.plugins.filters.options import EnKFOptions
from tradewind.plugins.filters.transform.weights import Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class EnKF:
    """Filter ``enkf``: Burgers et al. (1998), Evensen (2003), optionally localised as `LETKF`.

    Each member is moved by the gain and by observations of its own, ``x_i + K (y + ε_i - H x_i)``; the ε_i
    are drawn from N(0, R), and their mean is taken out (DAPPER's ``PertObs``).
    """

    method = Method("enkf", Kind.PERTURBED)

    def __init__(self, options: EnKFOptions | None = None) -> None:
        self.options = options or EnKFOptions()
        self._analysis = analysis(self.method, self.options)

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; see `LETKF.analyse`."""
        return self._analysis(ensemble, observations)

    def work(
        self, longitude: NDArray[np.float64], latitude: NDArray[np.float64], observations: Observations
    ) -> NDArray[np.float64]:
        """Return the cost of the analysis at each place, shape ``(cell,)``: see `WeighsWork`."""
        return work(longitude, latitude, observations, self.options.localization)
