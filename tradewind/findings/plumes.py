"""One column and one row of K, to be looked at: a source's plume, and an observation's footprint.

Both are of one window, about the prior: the plume is what the observed field becomes where x of one element
is raised by one, ``∂c/∂x_k`` on the whole grid and ``K_ok`` at the observations; the footprint is how one
observation answers to every element, ``K_ok`` along k.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.assimilation import LinearLook, Looks, Observations, ObservationsByWindow
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.units import convertible
from tradewind.couplers.operators import Distributed, LinearOperator, Replicated
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import TradewindError
from tradewind.findings.controlled import MASS_FLUX, cell_weights, parts_of

if TYPE_CHECKING:
    from tradewind.assembly import Assembly
    from tradewind.coupled.model import CoupledModel
    from tradewind.couplers.assimilation import Posterior
    from tradewind.couplers.coupling.fields import Variable
    from tradewind.couplers.grids import Grid
    from tradewind.couplers.ranks.layout import Layout

    Place: TypeAlias = "Mapping[str, Any]"

BATCH = 64
"""Columns that are made together."""


@dataclass(frozen=True)
class Plume:
    """What one element of x does to what is observed, for x raised by one.

    Attributes
    ----------
    element
        Position in x.
    window
        At whose end the field stands.
    seen
        Column of K at the window's observations, shape ``(m,)``.
    coordinates
        Where these are, by CF name.
    port, grid, field
        The observed variable on its whole grid, shape ``(cell,)``; None where that cannot be told.
    """

    element: int
    window: Interval
    seen: Tensor
    coordinates: Mapping[str, Any] = field(default_factory=dict)
    port: str = ""
    grid: Grid | None = None
    field: Tensor | None = None


@dataclass(frozen=True)
class Footprint:
    """How one observation answers to every element of x.

    Attributes
    ----------
    observation
        Its position among those of its window.
    row
        Row of K, shape ``(n,)``.
    place
        Its coordinates by CF name, one value each.
    """

    observation: int
    window: Interval
    row: Tensor
    place: Place = field(default_factory=dict)


@dataclass(frozen=True)
class Examples:
    """A plume and a footprint, None where they could not be made, and why not."""

    plume: Plume | None = None
    footprint: Footprint | None = None
    notes: Sequence[str] = ()


def examples(assembly: Assembly, model: CoupledModel, posterior: Posterior) -> Examples:
    """Return the plume of the strongest source, the footprint of what sees most; collective.

    Of the window with the most observations. One rank makes them. A model that cannot give them leaves them
    out, with a note.
    """
    found = Examples()
    with agree(model.comm, "a plume and a footprint"):
        if model.comm.rank == 0:
            found = _examples(assembly, model, posterior)
    return model.comm.bcast(found)


def _examples(assembly: Assembly, model: CoupledModel, posterior: Posterior) -> Examples:
    seen = model.observe.windows(model.windows)
    window = max(model.windows, key=lambda w: len(seen[w]) if w in seen else 0)
    if window not in seen or not len(seen[window]):
        return Examples()
    try:
        operator = model.linearize(model.control.prior, window)
        plume = _plume(assembly, model, operator, window, seen[window])
        return Examples(plume, _footprint(model, operator, window, (seen[window], posterior)))
    # a picture is not worth a posterior that is already there
    except TradewindError as error:
        return Examples(notes=(f"no plume or footprint is shown: {error}",))


# ---------------------------------------------------------------------- the plume
def _plume(
    assembly: Assembly, model: CoupledModel, operator: LinearOperator, window: Interval, seen: Observations
) -> Plume:
    element = strongest(assembly, model, window)
    unit = torch.zeros(len(model.control.prior), dtype=torch.float64)
    unit[element] = 1.0
    column = operator.forward(unit).detach()
    plume = Plume(element, window, column, seen.coordinates)
    port = model.observe.observes[0]
    space = model.names.space(port)
    if not isinstance(space, Distributed) or space.extra or not space.layout.is_serial:
        return plume
    everywhere = replace(model, observe=Everywhere(port, space.layout))
    field = everywhere.linearize(model.control.prior, window).forward(unit).detach()
    return replace(plume, port=port, grid=space.layout.grid, field=field)


def strongest(assembly: Assembly, model: CoupledModel, window: Interval) -> int:
    """Return the element with the greatest total before, of those that a window sees.

    Of fields that are no mass fluxes, that with the greatest standard error.
    """
    control = model.control.at(window)
    slopes = [_strength(part, assembly) for part in parts_of(control)]
    found = torch.cat(slopes)
    if not bool(found.any()):
        found = model.control.covariance.diagonal().sqrt()
    return int(found.abs().argmax())


def _strength(part: Any, assembly: Assembly) -> Tensor:
    declared: Variable = assembly.variable(part.target)
    if part.layout is None or declared.extra or not convertible(declared.units, MASS_FLUX):
        return torch.zeros_like(part.prior)
    found: Tensor = part.linearize(part.prior).adjoint(cell_weights(part, declared.units))
    return found


class Everywhere:
    """An observation operator that sees one export on all cells of a grid, as each window ends.

    Parameters
    ----------
    port
        The ``component.variable``.
    layout
        Of its cells, all on this rank.
    """

    def __init__(self, port: str, layout: Layout) -> None:
        self.observes: tuple[str, ...] = (port,)
        self._look = LinearLook(AllCells(layout))
        self._size = layout.n_local

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return as many observations as there are cells, all zero and without errors."""
        return {w: Observations(self.offset(w), None) for w in windows}

    def looks(self, window: Interval) -> Looks:
        """Return the one look."""
        return {(self.observes[0], window.stop): self._look}

    def offset(self, window: Interval) -> Tensor:
        """Return zeros, shape ``(cell,)``."""
        return torch.zeros(self._size, dtype=torch.float64)


class AllCells(LinearOperator):
    """From a field on a layout of one rank to the same numbers as a vector: an identity between spaces."""

    def __init__(self, layout: Layout) -> None:
        self.domain, self.range = Distributed(layout), Replicated(layout.n_local)

    def forward(self, x: Tensor) -> Tensor:
        """Return a copy of `x`, shape ``(..., cell)``."""
        self.check(x, self.domain)
        return x.clone()

    def adjoint(self, y: Tensor) -> Tensor:
        """Return a copy of `y`."""
        self.check(y, self.range)
        return y.clone()


# ---------------------------------------------------------------------- the footprint
def _footprint(
    model: CoupledModel, operator: LinearOperator, window: Interval, told: tuple[Observations, Posterior]
) -> Footprint:
    seen, posterior = told
    simulated = posterior.simulated.get(window, {}).get("prior", seen.y)
    number = int((simulated - model.observe.offset(window)).abs().argmax())
    place = {name: values[number] for name, values in seen.coordinates.items()}
    # a surrogate makes K column by column: its adjoint would ask for every cell that could emit
    row = _of_columns if model.stand_in(window) is not None else _of_adjoint
    return Footprint(number, window, row(operator, number), place)


def _of_columns(operator: LinearOperator, number: int) -> Tensor:
    return torch.cat([part[:, number] for part in _columns(operator)])


def _of_adjoint(operator: LinearOperator, number: int) -> Tensor:
    unit = torch.zeros(operator.range.size, dtype=torch.float64)
    unit[number] = 1.0
    return operator.adjoint(unit).detach()


def _columns(operator: LinearOperator) -> Iterator[Tensor]:
    n = operator.domain.size
    for begin in range(0, n, BATCH):
        unit = torch.zeros(min(BATCH, n - begin), n, dtype=torch.float64)
        unit[:, begin:].fill_diagonal_(1.0)
        yield operator.forward(unit).detach()
