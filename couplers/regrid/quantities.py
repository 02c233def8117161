"""Quantities, not just numbers: the declared kind of a variable chooses how it is regridded.

With A_ij the area that target i shares with source j, A_i and A_j the areas of their polygons,
f_i = Σ_j A_ij / A_i, and a_i, a_j the areas that the models themselves use (`Grid.given_area`, or else the
polygons'):

=================  ==============================================  ======================
kind               what arrives                                    what is kept
=================  ==============================================  ======================
state, intensive   y_i = Σ_j A_ij x_j / Σ_j A_ij                   constants; Σ A_i f_i y_i
flux, intensive    y_i = Σ_j A_ij (a_j / A_j) x_j / a_i            Σ a_i y_i = Σ a_j x_j
extensive          y_i = Σ_j A_ij x_j / A_j                        Σ y_i = Σ x_j
=================  ==============================================  ======================

over what the grids share. The factors a / A are the area correction of the couplers in use: models and
polygons differ by up to several per cent, and a flux that is not corrected gains or loses as much (CPL7,
Craig et al. 2012, doi 10.1177/1094342011428141). States are not corrected: a temperature has no area. Why a
flux is divided by the whole target area is in docs/decisions/0009-quantities.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.grids.grid import GridKind
from tradewind.couplers.operators import Distributed, LinearOperator, Space
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.backends import Backend
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme, named
from tradewind.errors import GridError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Wanted: TypeAlias = Scheme | Method | str | None

NOTED = 1e-3
"""Areas that differ from the polygons' by more are said."""
ABSURD = 2.0
"""Areas that differ by such a factor in the middle are in other units."""
ROUNDING = 1e-9
AS_ASKED = "as asked"


@dataclass(frozen=True)
class Choice:
    """How a quantity is regridded, and why, in words for a reader."""

    scheme: Scheme
    why: str


def norm_of(kind: Kind) -> Norm:
    """Return what conservative weights of a kind are divided by.

    States by the covered area, so that they are not diluted; fluxes and amounts by the whole area, so that
    nothing is made in cells that are covered in part.
    """
    return Norm.FRACAREA if kind is Kind.STATE_INTENSIVE else Norm.DSTAREA


def choose(of: Variable | Kind, source: Grid, target: Grid, wanted: Wanted = None) -> Choice:
    """Return the scheme for a quantity: the wanted one when it suits, or else the kind's own.

    Parameters
    ----------
    of
        A variable or its kind.
    source, target
        The grids, which may lack corners.
    wanted
        A scheme, taken as it is; a method's name, with the kind's norm; or None, and the kind chooses.

    Raises
    ------
    SpecError
        A scheme that loses, makes or dilutes the quantity; says why, and what to use.
    """
    kind = kind_of(of)
    if wanted is None:
        return _by_kind(kind, source, target)
    scheme = Scheme.of(wanted, norm_of(kind))
    refuse_wrong_pair(of, scheme)
    return Choice(scheme, AS_ASKED)


def kind_of(of: Variable | Kind) -> Kind:
    """Return the kind of a variable, or the kind itself.

    Raises
    ------
    SpecError
        What is neither.
    """
    return of.kind if isinstance(of, Variable) else named(Kind, of)


def _by_kind(kind: Kind, source: Grid, target: Grid) -> Choice:
    cells = source.lon_corners is not None and target.lon_corners is not None
    if cells:
        kept = "its total is kept" if norm_of(kind) is Norm.DSTAREA else "means over cells keep its bounds"
        return Choice(Scheme(Method.CONSERVATIVE, norm_of(kind)), f"{kind}: {kept}")
    if kind.is_extensive and source.lon_corners is None:
        return Choice(Scheme(Method.NEAREST_D2S), f"{kind}, from points: each goes whole to its nearest cell")
    if kind is not Kind.STATE_INTENSIVE:
        raise SpecError(
            f"{kind}: its total cannot be kept between {source!r} and {target!r}, which have no cells",
            where="quantity",
            hint="give the grid corners, or bring it as amounts (extensive) with nearest_d2s",
        )
    return Choice(*_between_places(source))


def _between_places(source: Grid) -> tuple[Scheme, str]:
    if source.kind is GridKind.POINTS:
        return Scheme(Method.NEAREST_S2D), "state, intensive, from points: the nearest"
    return Scheme(Method.BILINEAR), "state, intensive, without cells: read between centres"


def refuse_wrong_pair(of: Variable | Kind, scheme: Scheme) -> None:
    """Refuse a scheme that loses, makes or dilutes the quantity.

    Raises
    ------
    SpecError
        Names variable, kind and scheme, says why, and what to use.
    """
    wrong = _wrong(kind_of(of), scheme)
    if wrong is not None:
        name = repr(of.name) if isinstance(of, Variable) else "a quantity"
        why, instead = wrong
        raise SpecError(f"{name} is a {kind_of(of)}: {scheme} {why}", where="regrid", hint=instead)


def _wrong(kind: Kind, scheme: Scheme) -> tuple[str, str] | None:
    """Return why a scheme does not suit a kind, and what does."""
    if kind.is_extensive:
        return _wrong_for_amounts(scheme)
    if kind is Kind.FLUX_INTENSIVE:
        return _wrong_for_fluxes(scheme)
    if scheme.method.is_conservative and scheme.norm is Norm.DSTAREA:
        why = "dilutes cells that are covered in part: 300 K over half a cell would be 150 K"
        return why, "use norm fracarea"
    if scheme.method is Method.NEAREST_D2S:
        return "adds what several sources send: two cells at 300 K would be 600 K", "use nearest_s2d"
    return None


def _wrong_for_fluxes(scheme: Scheme) -> tuple[str, str] | None:
    if not scheme.method.is_conservative:
        return "does not keep its integral: mass or energy is lost or made", "use conservative"
    return None


def _wrong_for_amounts(scheme: Scheme) -> tuple[str, str] | None:
    if scheme.method is Method.NEAREST_D2S:
        return None
    if not scheme.method.is_conservative:
        return "copies amounts of cells instead of sharing them out", "use conservative or nearest_d2s"
    if scheme.norm is Norm.FRACAREA:
        return "blows up what cells receive that are covered in part", "use norm dstarea"
    return None


class QuantityRegridder(LinearOperator):
    """``y = D_target W D_source x``: weights between area factors; make one with `quantity_operator`.

    Attributes
    ----------
    regridder
        W.
    kind
        What is regridded.
    before, after
        Factors of the source's and the target's cells, shape ``(n_local,)``; None where they are all 1.
    """

    def __init__(self, regridder: Regridder, kind: Kind) -> None:
        self.regridder, self.kind = regridder, kind
        self.domain, self.range, self.device = regridder.domain, regridder.range, regridder.device
        before, after = _factors(kind, regridder)
        self.before = _local(before, regridder.source, self.device)
        self.after = _local(after, regridder.target, self.device)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``D_target W D_source x``, shape ``(*batch, target.n_local)``."""
        return _times(self.after, self.regridder.forward(self._scaled(self.before, x, self.domain)))

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``D_source Wᵀ D_target y``, shape ``(*batch, source.n_local)``."""
        return _times(self.before, self.regridder.adjoint(self._scaled(self.after, y, self.range)))

    def _scaled(self, factor: Tensor | None, x: Tensor, space: Space) -> Tensor:
        if factor is not None:
            self.check(x, space)
        return _times(factor, x)

    def regrid_field(self, x: Tensor, fill: float = float("nan")) -> Tensor:
        """Return ``D_target W D_source x`` with `fill` in unmapped cells; differentiable, but not linear."""
        filling = torch.full((), fill, dtype=torch.float64, device=self.device)
        return torch.where(self.regridder.unmapped, filling, self(x))

    def to(self, device: torch.device | str) -> QuantityRegridder:
        """Return the same operator for fields on `device`."""
        return QuantityRegridder(self.regridder.to(device), self.kind)

    @property
    def notes(self) -> list[str]:
        """What a reader should know about areas, norm and overshoots; collective."""
        source, target = self.regridder.source, self.regridder.target
        areas = (
            *_area_notes(source.grid, "source", self.kind),
            *_area_notes(target.grid, "target", self.kind),
        )
        return [*areas, *_norm_notes(self.regridder, self.kind), *_overshoot_notes(self.regridder.method)]


def quantity_operator(
    source: Grid | Layout,
    target: Grid | Layout,
    of: Variable | Kind,
    scheme: Wanted = None,
    *,
    backend: Backend | str = Backend.AUTO,
    cache: str | Path | None = None,
) -> QuantityRegridder:
    """Make the operator that regrids a quantity of the given kind; collective.

    Parameters
    ----------
    source, target
        Grids (serial) or layouts on the same communicator. Their `given_area`, where there is one, is taken
        for the area that the model itself uses.
    of
        A variable or its kind.
    scheme
        See `choose`; None leaves it to the kind.
    backend, cache
        As for `Regridder.build`.

    Raises
    ------
    SpecError
        A scheme that does not suit the kind.
    GridError
        Grids that do not overlap, or lack what the method needs; areas in other units than steradian.

    Examples
    --------
    >>> import numpy as np
    >>> globe = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    >>> coarse = Grid.latlon(np.arange(-60.0, 90, 60), np.arange(30.0, 360, 60))
    >>> amounts = quantity_operator(globe, coarse, Kind.STATE_EXTENSIVE, backend="native")
    >>> round(float(amounts(torch.ones(72, dtype=torch.float64)).sum()), 12)
    72.0
    """
    grids = (_grid(source), _grid(target))
    chosen = choose(of, *grids, scheme)
    for grid in grids:
        refuse_other_units(grid)
    regridder = Regridder.build(source, target, chosen.scheme, backend=backend, cache=cache)
    return QuantityRegridder(regridder, kind_of(of))


def _grid(where: Grid | Layout) -> Grid:
    return where.grid if isinstance(where, Layout) else where


def _factors(
    kind: Kind, regridder: Regridder
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    source, target = regridder.source.grid, regridder.target.grid
    if not regridder.method.is_conservative or kind is Kind.STATE_INTENSIVE:
        return None, None
    if kind.is_extensive:
        return _ratio(np.ones(source.size), source.polygon_area), target.polygon_area
    before = None if source.given_area is None else _ratio(source.given_area, source.polygon_area)
    after = None if target.given_area is None else _ratio(target.polygon_area, target.given_area)
    return before, after


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    # cells without area are masked: they neither send nor receive
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def _local(factor: NDArray[np.float64] | None, layout: Layout, device: torch.device) -> Tensor | None:
    return None if factor is None else layout.scatter(torch.from_numpy(factor)).to(device)


def _times(factor: Tensor | None, x: Tensor) -> Tensor:
    return x if factor is None else factor * x


def _deviation(grid: Grid) -> NDArray[np.float64]:
    """Return given area over polygon area of active cells that have both."""
    if grid.given_area is None or grid.lon_corners is None:
        return np.ones(1)
    both = grid.mask & (grid.polygon_area > 0) & (grid.given_area > 0)
    return (grid.given_area / np.where(both, grid.polygon_area, 1.0))[both] if both.any() else np.ones(1)


def refuse_other_units(grid: Grid) -> None:
    """Refuse areas that are in other units than steradian, where they can be told by the polygons'.

    Raises
    ------
    GridError
        Areas that miss the polygons' by a factor.
    """
    middle = float(np.median(_deviation(grid)))
    if not 1 / ABSURD <= middle <= ABSURD:
        raise GridError(
            f"the areas given are {middle:.3g} times those of the polygons",
            where=repr(grid),
            hint="areas are in steradian: divide square metres by the square of the Earth's radius",
        )


def _area_notes(grid: Grid, side: str, kind: Kind) -> Iterator[str]:
    ratio = _deviation(grid)
    most = float(np.abs(ratio - 1.0).max())
    if kind is Kind.FLUX_INTENSIVE and most > NOTED:
        yield (
            f"areas that the {side}'s model uses differ from its polygons' by up to {most:.1%}: "
            "fluxes are corrected for it"
        )


def _norm_notes(regridder: Regridder, kind: Kind) -> Iterator[str]:
    conservative = regridder.method.is_conservative and regridder.norm is Norm.FRACAREA
    if kind is Kind.FLUX_INTENSIVE and conservative:
        made = excess(regridder)
        if made > ROUNDING:
            yield (
                f"norm fracarea gives cells that are covered in part the whole flux: a uniform one grows by "
                f"{made:.2%} over whole cells; norm dstarea keeps its total"
            )


def excess(regridder: Regridder) -> float:
    """Return by which part a uniform flux grows over whole cells with ``fracarea``; collective."""
    space = Distributed(regridder.target)
    area = regridder.target.scatter(torch.from_numpy(regridder.target.grid.polygon_area))
    frac = regridder.frac_target.to(area.device)
    whole = space.dot(area, (frac > 0).double())
    return whole / space.dot(area, frac) - 1.0


def _overshoot_notes(method: Method) -> Iterator[str]:
    if method in {Method.CONSERVATIVE_2ND, Method.PATCH}:
        yield f"{method} may overshoot: positive fields may turn negative at fronts (see LimitedRegridder)"
