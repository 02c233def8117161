"""One door to all native methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.couplers.regrid.weights import bilinear, conservative, nearest
from tradewind.couplers.regrid.weights.triplets import Triplets
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Entries: TypeAlias = tuple[Index, Index, NDArray[np.float64]]
    Generator: TypeAlias = Callable[[Grid, Grid, Index], tuple[Entries, NDArray[np.float64]]]


def _generators() -> dict[tuple[Method, Norm], Generator]:
    plain = {
        Method.BILINEAR: bilinear.bilinear,
        Method.NEAREST_S2D: nearest.nearest_s2d,
        Method.NEAREST_D2S: nearest.nearest_d2s,
    }
    return {
        (Method.CONSERVATIVE, Norm.DSTAREA): conservative.dstarea,
        (Method.CONSERVATIVE, Norm.FRACAREA): conservative.fracarea,
        **{(method, norm): make for method, make in plain.items() for norm in Norm},
    }


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
    make = _generators().get((scheme.method, scheme.norm))
    if make is None:
        raise SpecError(f"{scheme} has no native weights yet", where="regrid", hint='use backend="esmpy"')
    wanted = np.arange(target.size) if rows is None else rows
    (row, col, value), frac = make(source, target, wanted)
    return Triplets(row.astype(np.int64), col.astype(np.int64), value, frac, source.size)
