"""Filters whose analyses are local where a localisation is given, and global without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.local.engine import LocalAnalysis
from tradewind.plugins.filters.local.work import work
from tradewind.plugins.filters.options import AnywhereOptions, LocalOptions
from tradewind.plugins.filters.transform.analysis import analysed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Analysis: TypeAlias = Callable[[Ensemble, Observations], Ensemble]


def analysis(method: Method, options: AnywhereOptions | LocalOptions) -> Analysis:
    """Return the analysis of a method, place by place where its options say which observations count."""
    if options.localization is None:
        return partial(analysed, method=method, options=options)
    return LocalAnalysis(method, options.localization, options)


class PlaceByPlace:
    """What filters have in common that can be localised.

    Parameters
    ----------
    options
        Settings.

    Attributes
    ----------
    method
        What sets one of them apart from another.
    """

    method: ClassVar[Method]

    def __init__(self, options: AnywhereOptions | LocalOptions) -> None:
        self.options = options
        self._analysis = analysis(self.method, options)

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
