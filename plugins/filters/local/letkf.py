"""Transform filters with an analysis of its own for every place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.local.engine import LocalAnalysis
from tradewind.plugins.filters.local.work import work
from tradewind.plugins.filters.options import LESTKFOptions, LETKFOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LETKF:
    """Filter ``letkf``: Hunt et al. (2007, doi 10.1016/j.physd.2006.11.008), localised in observation space.

    At every place, the analysis of `ETKF` with the observations within the radius, each inverse variance
    multiplied by its taper ρ: ``P = ((N - 1)/f² I + Σ ρ y'y'ᵀ/σ²)⁻¹``. Where nothing is in reach, the spread
    is multiplied by f, and the mean stays. Fields that have no layout are analysed with all observations.
    """

    method = Method("letkf")

    def __init__(self, options: LETKFOptions) -> None:
        self.options = options
        self._analysis = LocalAnalysis(self.method, options.localization, options)

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; without observations, the ensemble as it is.

        Raises
        ------
        SpecError
            Fewer than two members, members or observations that do not match, observations without places.
        DataError
            Members, observations or simulations that are not finite, or observations without errors.
        """
        return self._analysis(ensemble, observations)

    def work(
        self, longitude: NDArray[np.float64], latitude: NDArray[np.float64], observations: Observations
    ) -> NDArray[np.float64]:
        """Return the cost of the analysis at each place, shape ``(cell,)``: see `WeighsWork`."""
        return work(longitude, latitude, observations, self.options.localization)


class LESTKF:
    """Filter ``lestkf``: Nerger et al. (2012, doi 10.1175/MWR-D-11-00102.1), localised as `LETKF`.

    Its members are those of the LETKF but for rounding, except where nothing is in reach: they stay as they
    are.
    """

    method = Method("lestkf", resting=0.0, subspace=True)

    def __init__(self, options: LESTKFOptions) -> None:
        self.options = options
        self._analysis = LocalAnalysis(self.method, options.localization, options)

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; see `LETKF.analyse`."""
        return self._analysis(ensemble, observations)

    def work(
        self, longitude: NDArray[np.float64], latitude: NDArray[np.float64], observations: Observations
    ) -> NDArray[np.float64]:
        """Return the cost of the analysis at each place, shape ``(cell,)``: see `WeighsWork`."""
        return work(longitude, latitude, observations, self.options.localization)
