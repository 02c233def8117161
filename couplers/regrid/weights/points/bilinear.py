"""Bilinear weights as ESMF makes them by default (line type CART).

The centres of neighbouring source cells span quadrilaterals and triangles (see `elements`). A target point
p lies in the one that the ray from the centre of the earth through p meets: ``Σ_k w_k(u, v) c_k = t p``
with the bilinear, or barycentric, shape functions w (see `locate`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.regrid.scheme import Poles
from tradewind.couplers.regrid.weights.points.elements import elements_of
from tradewind.couplers.regrid.weights.points.locate import located
from tradewind.couplers.regrid.weights.triplets import coalesce

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Entries: TypeAlias = tuple[Index, Index, Array]


def bilinear(source: Grid, target: Grid, rows: Index, poles: Poles) -> tuple[Entries, Array]:
    """Return bilinear weights and 1 where a target is mapped, shape ``(n_target,)``, else 0.

    A target is unmapped outside of all elements, and where a corner of its element is masked.

    Raises
    ------
    GridError
        When the source has neither rows and columns nor cells that touch.
    SpecError
        When the poles take the mean of more points than there are.
    """
    rows = rows[target.mask[rows]]
    elements = elements_of(source, poles)
    element, weights = located(elements, target.centres[rows])
    held = element >= 0
    corners, weights = elements.corners[element[held]], weights[held]
    real = (corners >= 0) & (weights > 0)
    row = np.broadcast_to(rows[held][:, None], corners.shape)
    mapped = np.zeros(target.size)
    mapped[rows[held]] = 1.0
    return coalesce(*elements.of_cells(row[real], corners[real], weights[real])), mapped
