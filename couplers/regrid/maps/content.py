"""What a weight file holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.regrid.weights.triplets import Triplets
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeightMap:
    """What a weight file holds: two grids, the weights between them, and how they were made."""

    source: Grid
    target: Grid
    weights: Triplets
    attributes: dict[str, str]


def frac_source(content: WeightMap) -> Array:
    """Return how much of each source cell conservative weights carry over, shape ``(n_source,)``.

    ``f_j = Σ_i A_i S_ij / A_j`` with norm dstarea; with fracarea A_i is multiplied by the fraction of
    target i. Zeros for other methods, as in ESMF.
    """
    weights = content.weights
    if not content.attributes.get("map_method", "").startswith("Conservative"):
        return np.zeros(content.source.size)
    area = content.target.polygon_area[weights.row] * weights.value
    if "frac" in content.attributes.get("normalization", ""):
        area = area * weights.frac_target[weights.row]
    carried = np.bincount(weights.col, area, content.source.size).astype(np.float64)
    # masked cells may have no area
    return np.divide(carried, content.source.polygon_area, out=np.zeros_like(carried), where=carried != 0)


def refuse_other_grid(given: Grid, found: Grid, where: str) -> None:
    """Refuse a grid that has not the cells of the one in a file (centres within 1e-6 as chords).

    Raises
    ------
    GridError
        Names both grids.
    """
    same = given.size == found.size and bool(np.abs(given.centres - found.centres).max() < 1e-6)
    if not same:
        raise GridError(f"{given!r} was given, the file has {found!r}", where=where, hint="swapped grids?")
