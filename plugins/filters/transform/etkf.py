"""The ensemble transform Kalman filter, deterministic, with a symmetric square root."""

from __future__ import annotations

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.options import ESTKFOptions, ETKFOptions
from tradewind.plugins.filters.transform.analysis import analysed


class ETKF:
    """Filter ``etkf``: Bishop et al. (2001), as in Hunt et al. (2007, doi 10.1016/j.physd.2006.11.008).

    With N members, perturbations X' and Y' = (H x)', d = y - mean(H x), and inflation f:

        P = ((N - 1)/f² I + Y'ᵀR⁻¹Y')⁻¹,  w = P Y'ᵀR⁻¹d,  W = ((N - 1) P)^½,  xa = mean(x) + X'(w + W)

    The filter is global: every observation touches every cell, so an ensemble should have more members than
    the observations have degrees of freedom; `LETKF` is local. Weights are applied cell by cell: fields and
    observations may be distributed, and bits do not depend on the ranks.
    """

    method = Method("etkf")

    def __init__(self, options: ETKFOptions | None = None) -> None:
        self.options = options or ETKFOptions()

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; without observations, the ensemble as it is.

        Fields have shape ``(member, *extra, cell)`` and may have no cell on this rank. `simulated` is
        analysed with the same weights.

        Raises
        ------
        SpecError
            Fewer than two members, or members or observations that do not match.
        DataError
            Members, observations or simulations that are not finite, or observations without errors.
        """
        return analysed(ensemble, observations, self.method, self.options)


class ESTKF:
    """Filter ``estkf``: Nerger et al. (2012, doi 10.1175/MWR-D-11-00102.1), deterministic.

    As `ETKF`, in the N - 1 dimensions in which perturbations live: with Ω of `rotation.zero_sums`,
    ``P = ((N - 1)/f² I + Ωᵀ Y'ᵀR⁻¹Y' Ω)⁻¹`` and ``W = Ω ((N - 1) P)^½ Ωᵀ``. Its members are those of the ETKF
    but for rounding.
    """

    method = Method("estkf", subspace=True)

    def __init__(self, options: ESTKFOptions | None = None) -> None:
        self.options = options or ESTKFOptions()

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; see `ETKF.analyse`."""
        return analysed(ensemble, observations, self.method, self.options)
