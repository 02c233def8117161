"""Transform filters with an analysis of its own for every place."""

from __future__ import annotations

from tradewind.plugins.filters.anywhere import PlaceByPlace
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.options import LESTKFOptions, LETKFOptions


class LETKF(PlaceByPlace):
    """Filter ``letkf``: Hunt et al. (2007, doi 10.1016/j.physd.2006.11.008), localised in observation space.

    At every place, the analysis of `ETKF` with the observations within the radius, each inverse variance
    multiplied by its taper ρ: ``P = ((N - 1)/f² I + Σ ρ y'y'ᵀ/σ²)⁻¹``. Where nothing is in reach, the spread
    is multiplied by f, and the mean stays. Fields that have no layout are analysed with all observations.
    """

    method = Method("letkf")

    def __init__(self, options: LETKFOptions) -> None:
        super().__init__(options)


class LESTKF(PlaceByPlace):
    """Filter ``lestkf``: Nerger et al. (2012, doi 10.1175/MWR-D-11-00102.1), localised as `LETKF`.

    Its members are those of the LETKF but for rounding, except where nothing is in reach: they stay as they
    are.
    """

    method = Method("lestkf", resting=0.0, subspace=True)

    def __init__(self, options: LESTKFOptions) -> None:
        super().__init__(options)
