"""Second-order conservative regridding that keeps fields within bounds.

Within source cell j a field is taken as ``f_j + φ_j d · g_j`` at a displacement d from the middle of the
cell, with the gradient g_j = G_j f of second order and the largest factor φ_j in [0, 1] for which the values
at the middles of all overlaps of j with target cells stay within the bounds (after Barth and Jespersen, 1989,
doi 10.2514/6.1989-366, who limit to the range of the neighbours). A target is a mean of such values, so it
stays within the bounds too; and as φ_j scales what only moves amounts about within cell j, integrals are
those of plain second order. Where no value leaves the bounds, φ = 1 and the answer is plain second order's.

The map is not linear, but piecewise rational; `LimitedRegridder` says which derivative it has between pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.apply.sparse import SparseOperator, refuse_bad_layouts
from tradewind.couplers.regrid.reconstruction import Reconstruction, reconstruction
from tradewind.couplers.regrid.scheme import Norm, named
from tradewind.errors import GridError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


SMALLEST = 1e-280
"""Steps whose inverse is too large for a number are none."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a field, in its units.

    Raises
    ------
    SpecError
        Bounds that are no numbers, or the wrong way round.
    """

    lower: float = 0.0
    upper: float = math.inf

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise SpecError(f"from {self.lower:g} to {self.upper:g}", where="limits", hint="lower < upper")

    @property
    def finite(self) -> tuple[tuple[float, int], ...]:
        """The bounds that there are, each with -1 for the lower and 1 for the upper one."""
        return tuple((b, sign) for b, sign in ((self.lower, -1), (self.upper, 1)) if math.isfinite(b))

    def hold(self, x: Tensor) -> Tensor:
        """Return where values are within the bounds; missing values count as within."""
        return ~((x < self.lower) | (x > self.upper))


@dataclass(frozen=True, eq=False)
class _Binding:
    """The factor φ of each source cell, and what it depends on.

    ``φ = (bound - f) / (d · g)`` where `binds`; elsewhere it is constant: 1, or 0 in cells out of bounds.
    """

    factor: Tensor
    binds: Tensor
    shift: Tensor
    slope: Tensor


class LimitedRegridder:
    """``y = W₁ f + Σ_k D_k (φ(f) ∘ G_k f)`` between two layouts; make one with `build`, call it on fields.

    W₁ holds first-order weights, G the gradients of second order and D the displacements of overlaps times
    W₁. Cells whose own mean is out of bounds keep it: their φ is 0 (`outside` counts them), and only targets
    that they reach may be out of bounds.

    Calls are differentiable in torch, in reverse and in forward mode. Between pieces, where the derivative
    has a jump, it is the one-sided derivative of

    - the unlimited piece (plain second order) where a value is exactly on the bound and φ is just 1,
    - the piece within the bounds where the mean of a cell itself is exactly on a bound and φ is 0: the cell
      counts as in bounds, so ∂φ/∂f is that of growing away from the bound,
    - the first overlap, by number of target, where several bind alike, the lower bound before the upper.

    It is finite everywhere: through φ_j, no ``∂y_i/∂f_j`` exceeds the quotient of the areas of j and i.

    Attributes
    ----------
    source, target
        The layouts.
    limits, norm
        Bounds, and the normalisation of partly covered targets.
    first
        W₁.
    """

    def __init__(
        self, source: Layout, target: Layout, limits: Limits, norm: Norm, parts: Reconstruction
    ) -> None:
        refuse_bad_layouts(source, target)
        self.source, self.target, self.limits, self.norm = source, target, limits, norm
        entries = (parts.row, parts.col)
        self.first = SparseOperator(source, target, *entries, parts.share)
        _refuse_no_overlap(self.first)
        self._spread = [
            SparseOperator(source, target, *entries, parts.share * parts.shift[:, k]) for k in range(3)
        ]
        slope = (parts.here, parts.there)
        self._gradient = [SparseOperator(source, source, *slope, parts.slope[:, k]) for k in range(3)]
        self._starts, self._shift = _of_own_cells(source, parts)
        sums = self.first.forward(torch.ones(source.n_local, dtype=torch.float64))
        self._whole = (sums > 0.0).double() if norm is Norm.FRACAREA else sums.clamp(max=1.0)

    @classmethod
    def build(
        cls,
        source: Grid | Layout,
        target: Grid | Layout,
        limits: Limits = Limits(),
        *,
        norm: Norm | str = Norm.FRACAREA,
        cache: str | Path | None = None,
    ) -> LimitedRegridder:
        """Make the parts, or take them from the cache; collective.

        Parameters
        ----------
        source, target
            Grids (serial), or layouts without halos on the same communicator.
        limits
            Bounds; not negative by default.
        norm
            ``fracarea`` or ``dstarea``, which dilutes partly covered targets, bounds and all.
        cache
            Folder of cached parts, made when absent.

        Raises
        ------
        GridError
            Grids that do not overlap, or have no corners.
        SpecError
            Unknown norm, layouts with halos or on different communicators.
        """
        source, target = (w if isinstance(w, Layout) else Layout(w) for w in (source, target))
        chosen = named(Norm, norm)
        _refuse_halos(source, target)
        parts = reconstruction(source, target, chosen, None if cache is None else Path(cache))
        return cls(source, target, limits, chosen, parts)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the field on the target cells, recorded by torch, ``(*batch, target.n_local)``; collective.

        Parameters
        ----------
        x
            Shape ``(*batch, source.n_local)``, float64.

        Raises
        ------
        SpecError
            Wrong shape, dtype or device.
        """
        y = self.first(x)
        slope = torch.stack([g(x) for g in self._gradient])
        factor = self._bind(x, slope).factor
        for spread, part in zip(self._spread, slope, strict=True):
            y = y + spread(factor * part)
        return y + self._rounding(x.detach(), y.detach())

    def factor(self, x: Tensor) -> Tensor:
        """Return φ, shape ``(*batch, source.n_local)``; collective."""
        slope = torch.stack([g(x) for g in self._gradient])
        return self._bind(x, slope).factor

    def outside(self, x: Tensor) -> int:
        """Return how many values, on all ranks, are out of bounds and stay as they are; collective."""
        self.first.check(x, self.first.domain)
        return int(sum(self.source.comm.allgather(int((~self.limits.hold(x)).sum()))))

    def linearize(self, x: Tensor) -> LinearOperator:
        """Return the tangent at `x`, shape ``(*batch, source.n_local)``, with its exact adjoint; collective.

        It is the derivative that torch takes through calls. Fields given to it have the leading dimensions of
        `x`, or further ones in front.
        """
        with torch.no_grad():
            slope = torch.stack([g(x) for g in self._gradient])
            return _Tangent(self, self._bind(x, slope))

    def _bind(self, x: Tensor, slope: Tensor) -> _Binding:
        """Return the factors of all cells from their means and gradients ``(3, *batch, n)``."""
        ends = _ends(self._starts, self._shift, slope.detach())
        factor, binds = torch.ones_like(x), torch.zeros_like(x, dtype=torch.bool)
        shift = torch.zeros_like(slope)
        for bound, sign in self.limits.finite:
            d = ends[sign]
            step = _dot(d, slope)
            over = ((x + step - bound) * sign > 0.0) & (step.abs() > SMALLEST)
            # where nothing is over the bound, 1 stands in: no division by zero reaches a derivative
            here = torch.where(over, (bound - x) / torch.where(over, step, 1.0), 1.0)
            tighter = over & ~(here.detach() >= factor.detach())
            factor, binds = torch.where(tighter, here, factor), binds | tighter
            shift = torch.where(tighter, d, shift)
        inside = self.limits.hold(x)
        return _Binding(torch.where(inside, factor, 0.0), binds & inside, shift, slope)

    def _rounding(self, x: Tensor, y: Tensor) -> Tensor:
        """Return what brings targets back within the bounds that only rounding has taken out."""
        wild = ~self.limits.hold(x)
        reached = self.first.forward(wild.double())
        low, high = (
            torch.where(self._whole > 0.0, b * self._whole, 0.0)
            for b in (self.limits.lower, self.limits.upper)
        )
        return torch.where(reached > 0.0, 0.0, torch.clamp(y, low, high) - y)

    def __repr__(self) -> str:
        bounds = f"{self.limits.lower:g} to {self.limits.upper:g}"
        return f"LimitedRegridder({self.source.grid!r} -> {self.target.grid!r}, {bounds}, {self.norm})"


class _Tangent(LinearOperator):
    """The derivative of a limited regridder: ``W₁ f' + Σ_k D_k (φ g'_k + φ' g_k)`` with g' = G f'.

    Where a bound binds, ``φ' = -(f' + φ d · g') / (d · g)``; elsewhere φ' = 0.
    """

    def __init__(self, of: LimitedRegridder, at: _Binding) -> None:
        self.of, self.at = of, at
        self.domain, self.range = of.first.domain, of.first.range
        step = _dot(at.shift, at.slope)
        self._per_step = torch.where(at.binds, -1.0 / torch.where(at.binds, step, 1.0), 0.0)

    @property
    def name(self) -> str:
        """Name for messages."""
        return "tangent of LimitedRegridder"

    def forward(self, x: Tensor) -> Tensor:
        """Return the change of the target field for a change `x` of the source field."""
        of, at = self.of, self.at
        y = of.first.forward(x)
        slope = torch.stack([g.forward(x) for g in of._gradient])
        change = self._per_step * (x + at.factor * _dot(at.shift, slope))
        for spread, new, old in zip(of._spread, slope, at.slope, strict=True):
            y = y + spread.forward(at.factor * new + change * old)
        return y

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the cotangent of the source field for a cotangent `y` of the target field."""
        of, at = self.of, self.at
        x = of.first.adjoint(y)
        moved = torch.stack([spread.adjoint(y) for spread in of._spread])
        change = self._per_step * _dot(at.slope, moved)
        for gradient, d, part in zip(of._gradient, at.shift, moved, strict=True):
            x = x + gradient.adjoint(at.factor * (part + change * d))
        return x + change


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return inner products over the first axis, added up in its order."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _ends(starts: Index, shift: Array, slope: Tensor) -> dict[int, Tensor]:
    """Return the displacements at which each cell's value is least (-1) and largest (1), like `slope`."""
    from tradewind.couplers.regrid.weights.overlaps.extremes import extremes

    batch, n = math.prod(slope.shape[1:-1]), slope.shape[-1]
    members = np.ascontiguousarray(slope.reshape(3, batch, n).movedim(0, -1).numpy())
    found = [
        torch.from_numpy(f).movedim(-1, 0).reshape(slope.shape) for f in extremes(starts, shift, members)
    ]
    return {-1: found[0], 1: found[1]}


def _of_own_cells(source: Layout, parts: Reconstruction) -> tuple[Index, Array]:
    """Return where each own source cell's overlaps start, ``(n_local + 1,)``, and their displacements."""
    left = np.searchsorted(parts.cell, source.owned, side="left")
    counts = np.searchsorted(parts.cell, source.owned, side="right") - left
    starts = np.concatenate([[0], np.cumsum(counts)])
    index = np.arange(starts[-1]) + np.repeat(left - starts[:-1], counts)
    return starts, parts.of_cell[index]


def _refuse_halos(source: Layout, target: Layout) -> None:
    refuse_bad_layouts(source, target)
    if source.overlaps:
        raise SpecError(
            f"source cells of {source.grid!r} have several owners",
            where=f"LimitedRegridder to {target.grid!r}",
            hint="redistribute to the layout without a halo first",
        )


def _refuse_no_overlap(op: SparseOperator) -> None:
    if sum(op.target.comm.allgather(op.entries)) == 0:
        raise GridError(
            f"{op.source.grid!r} and {op.target.grid!r} do not overlap: no target cell receives anything",
            where="LimitedRegridder",
            hint="check longitudes, latitudes and masks",
        )
