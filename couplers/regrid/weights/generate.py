"""One door to all native methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.regrid.scheme import Method, Norm, PoleKind, Scheme
from tradewind.couplers.regrid.weights.triplets import Triplets
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Entries: TypeAlias = tuple[Index, Index, Array]
    Maker: TypeAlias = Callable[[Grid, Grid, Index], tuple[Entries, Array]]


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
        When the method means nothing with these poles or this extrapolation.
    GridError
        When a grid lacks what the method needs (corners, rows and columns, neighbours).
    """
    _check(scheme)
    wanted = np.arange(target.size) if rows is None else np.asarray(rows, dtype=np.int64)
    if scheme.extrapolation is None:
        (row, col, value), frac = _entries(source, target, scheme, wanted)
        return Triplets(row, col, value, frac, source.size)
    from tradewind.couplers.regrid.weights.points.extrapolation import extrapolated

    (row, col, value), filled = extrapolated(
        source, target, wanted, scheme.extrapolation, lambda some: _entries(source, target, scheme, some)
    )
    frac = np.zeros(target.size)
    frac[row] = 1.0
    return Triplets(row, col, value, frac, source.size, filled)


def _check(scheme: Scheme) -> None:
    closes = scheme.method in {Method.BILINEAR, Method.PATCH}
    if not closes and scheme.poles.kind not in {PoleKind.DEFAULT, PoleKind.NONE}:
        raise SpecError(
            f"{scheme}: this method does not look beyond the last row",
            where="regrid",
            hint="leave the poles out, or use bilinear or patch",
        )


def _entries(source: Grid, target: Grid, scheme: Scheme, rows: Index) -> tuple[Entries, Array]:
    """Return what the scheme's method makes, and the covered fractions."""
    if scheme.method is Method.BILINEAR:
        from tradewind.couplers.regrid.weights.points.bilinear import bilinear

        return bilinear(source, target, rows, scheme.poles)
    if scheme.method is Method.PATCH:
        from tradewind.couplers.regrid.weights.points.patch import patch

        return patch(source, target, rows, scheme.poles)
    return _maker(scheme)(source, target, rows)


def _maker(scheme: Scheme) -> Maker:
    """Return the generator of a method that knows of no poles; its module is loaded here: some take long."""
    match scheme.method:
        case Method.CONSERVATIVE:
            from tradewind.couplers.regrid.weights.overlaps import conservative as first

            return first.dstarea if scheme.norm is Norm.DSTAREA else first.fracarea
        case Method.CONSERVATIVE_2ND:
            from tradewind.couplers.regrid.weights.overlaps import second_order as second

            return second.dstarea if scheme.norm is Norm.DSTAREA else second.fracarea
        case _:
            from tradewind.couplers.regrid.weights.points import nearest

            return nearest.nearest_s2d if scheme.method is Method.NEAREST_S2D else nearest.nearest_d2s
