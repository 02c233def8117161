"""One door to all native methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.couplers.regrid.weights.triplets import Triplets
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Entries: TypeAlias = tuple[Index, Index, Array]


def generate(source: Grid, target: Grid, scheme: Scheme, rows: Index | None = None) -> Triplets:
    """Return the weights from `source` to `target`.

    Parameters
    ----------
    rows
        Global indices of the target cells wanted (all by default): a rank makes its own only. Weights do
        not depend on which other rows are made with them.

    Raises
    ------
    SpecError
        When the method has no native generator.
    GridError
        When a grid lacks what the method needs (corners, rows and columns).
    """
    wanted = np.arange(target.size) if rows is None else np.asarray(rows, dtype=np.int64)
    (row, col, value), frac = _entries(source, target, scheme, wanted)
    return Triplets(row.astype(np.int64), col.astype(np.int64), value, frac, source.size)


def _entries(source: Grid, target: Grid, scheme: Scheme, rows: Index) -> tuple[Entries, Array]:
    """Return what the scheme's method makes; its module is loaded here, for some take their time."""
    match scheme.method:
        case Method.CONSERVATIVE:
            from tradewind.couplers.regrid.weights import conservative

            make = conservative.dstarea if scheme.norm is Norm.DSTAREA else conservative.fracarea
            return make(source, target, rows)
        case Method.BILINEAR:
            from tradewind.couplers.regrid.weights.bilinear import bilinear

            return bilinear(source, target, rows, scheme.poles)
        case Method.NEAREST_S2D:
            from tradewind.couplers.regrid.weights.nearest import nearest_s2d

            return nearest_s2d(source, target, rows)
        case Method.NEAREST_D2S:
            from tradewind.couplers.regrid.weights.nearest import nearest_d2s

            return nearest_d2s(source, target, rows)
        case _:
            raise SpecError(f"{scheme} has no native weights yet", where="regrid", hint='use backend="esmpy"')
