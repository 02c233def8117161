"""What the analysis of a place costs, so that ranks get equal shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.assimilation import Observations
from tradewind.plugins.filters.local import points as pointing
from tradewind.plugins.filters.local.geometry import Geometry
from tradewind.plugins.filters.local.reach import MANY, Reach, counts
from tradewind.plugins.filters.options import Localization

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

IDLE = 0.05
"""Cost of a place where nothing is seen, in units of the cost of the eigenvectors elsewhere."""
SEEN = 1.0 / 600.0
"""Cost of one observation in the same units, as measured with 40 members (N/15 of it in general: of the
sums' N² a place, against N³ for eigenvectors)."""


def work(
    longitude: Array, latitude: Array, observations: Observations, localization: Localization | None
) -> Array:
    """Return the cost of an analysis at each place, shape ``(cell,)``.

    Collective where ranks share observations: each gives its own places, the same on all or not.
    """
    if localization is None:
        return np.ones(len(longitude))
    geometry = Geometry(localization)
    places = geometry.places(observations)
    if observations.comm is not None:
        places = np.concatenate(observations.comm.allgather_array(places))
    geometry.look(places)
    seen = counts(Reach(pointing.at(longitude, latitude, localization), geometry.boxes, geometry.rule, MANY))
    return np.where(seen > 0, 1.0 + SEEN * seen, IDLE)
