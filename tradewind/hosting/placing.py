"""The grid that a host tells: its cells on every rank, held against the component's, or lent to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tradewind.assembly.components import layouts_of
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import GridError
from tradewind.hosting.bridge import Cells, Columns
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.places import DECLARED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.assembly.parts import Member
    from tradewind.couplers.coupling.component import Key
    from tradewind.couplers.coupling.fields import Spec
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.hosting.component import HostedComponent

    Array = NDArray[np.float64]
    Numbers = NDArray[np.int64]

NEAR = 1e-4
"""Degrees by which a place may differ from that of the component's cell: single precision is enough."""


class Told(NamedTuple):
    """A host's cells on this rank: numbers from 0, places in degrees, and which take part."""

    cells: Numbers
    lon: Array
    lat: Array
    mask: NDArray[np.bool_]

    def ordered(self) -> tuple[Told, Numbers | None]:
        """Return the cells in the order of their numbers, and where they stood; None where they stand so."""
        if not np.any(np.diff(self.cells) < 0):
            return self, None
        order = np.argsort(self.cells, kind="stable")
        return Told(self.cells[order], self.lon[order], self.lat[order], self.mask[order]), order


def place(part: HostedComponent, index: Any, lon: Any, lat: Any, mask: Any | None) -> None:
    """Give a component the host's cells; collective.

    Raises
    ------
    GridError
        Numbers that are none or repeated, cells of no rank, places that are not those of the component's.
    CallError
        When the coupled run has begun.
    """
    comm, where = part.comm, f"grid of {part.name!r}"
    with agree(comm, where):
        told, order = _read(index, lon, lat, mask, where).ordered()
        _refuse_repeated(told, where)
    member = part.session.assembly.members[part.name]
    if hasattr(member.component, "adopt") and not _has_grid(member.spec):
        _adopt(part, member, told, order)
    else:
        _match(part, member, told, order)


def _read(index: Any, lon: Any, lat: Any, mask: Any | None, where: str) -> Told:
    cells = np.array(index, dtype=np.int64) - 1
    x, y = np.array(lon, dtype=np.float64), np.array(lat, dtype=np.float64)
    active = np.ones(len(cells), dtype=bool) if mask is None else np.array(mask) != 0
    if not cells.shape == x.shape == y.shape == active.shape or cells.ndim != 1:
        what = f"{cells.shape} numbers, {x.shape} longitudes, {y.shape} latitudes, mask {active.shape}"
        raise GridError(what, where=where, hint="give each for every cell of this rank")
    if len(cells) and cells.min() < 0:
        raise GridError(f"cell number {cells.min() + 1}", where=where, hint="numbers count from 1")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.all(np.abs(y) <= 90 + NEAR)):
        raise GridError("places are not longitudes and latitudes", where=where, hint="give degrees")
    return Told(cells, x, y, active)


def _refuse_repeated(told: Told, where: str) -> None:
    twice = np.flatnonzero(np.diff(told.cells) == 0)
    if len(twice):
        what = f"cell {told.cells[twice[0]] + 1} is given twice"
        raise GridError(what, where=where, hint="numbers are global, from 1")


def _has_grid(spec: Spec) -> bool:
    return any(v.grid is not None for v in (*spec.imports, *spec.exports, *spec.state, *spec.parameters))


def _on(spec: Spec, grid: Grid) -> frozenset[Key]:
    own = grid.fingerprint
    return frozenset(
        (role, v.name)
        for role, among in DECLARED.items()
        for v in getattr(spec, among)
        if v.grid is not None and v.grid.fingerprint == own
    )


def _apart(grid: Grid, comm: Communicator, cells: Numbers) -> Layout:
    """Return who has which cells, each cell that of one rank."""
    layout = Layout(grid, comm, cells)
    if layout.overlaps:
        hint = "each rank gives the cells that it owns, without halo"
        raise GridError("ranks share cells", where=repr(grid), hint=hint)
    return layout


# ---------------------------------------------------------------------- a grid of the host's own
def _adopt(part: HostedComponent, member: Member, told: Told, order: Numbers | None) -> None:
    if part.session.started:
        what, hint = "the coupled run has begun", "set grids before the session advances"
        raise CallError(Code.ORDER, what, component=part.name, hint=hint)
    grid = _whole(told, part.comm, f"grid of {part.name!r}")
    layout = _apart(grid, part.comm, told.cells)
    member.component.adopt(grid)  # type: ignore[attr-defined]
    spec = member.component.describe()
    member.spec = replace(spec, linear=spec.linear and member.spec.linear)
    member.layouts = layouts_of(spec, layout)
    if hasattr(member.component, "defaults"):
        member.defaults = member.component.defaults(member.layouts)
    part.bridge = Columns(layout, order, _on(spec, grid))


def _whole(told: Told, comm: Communicator, where: str) -> Grid:
    """Return the grid of all ranks' cells; collective."""
    cells = np.concatenate(comm.allgather_array(told.cells))
    if not len(cells):
        raise GridError("no rank has a cell", where=where)
    size = int(cells.max()) + 1
    each = (told.lon, told.lat, told.mask.astype(np.int64))
    columns = (np.concatenate(comm.allgather_array(a)) for a in each)
    missing = np.ones(size, dtype=bool)
    missing[cells] = False
    if missing.any():
        what = f"{missing.sum()} cells belong to no rank, the first is {int(np.argmax(missing)) + 1}"
        raise GridError(what, where=where, hint="numbers count all cells, from 1")
    lon, lat, mask = (_spread(values, cells, size) for values in columns)
    return Grid.points(lon, lat, mask=mask != 0)


def _spread(values: NDArray[Any], cells: Numbers, size: int) -> NDArray[Any]:
    out = np.empty(size, dtype=values.dtype)
    out[cells[::-1]] = values[::-1]
    return out


# ---------------------------------------------------------------------- cells of the component's own grid
def _match(part: HostedComponent, member: Member, told: Told, order: Numbers | None) -> None:
    where = f"grid of {part.name!r}"
    grids = {v.grid.fingerprint: v.grid for v in _variables(member.spec) if v.grid is not None}
    if not grids:
        hint = "its fields belong to no place: leave the grid out"
        raise GridError("the component has no cells", where=where, hint=hint)
    size = max(part.comm.allgather(int(told.cells.max(initial=-1)))) + 1
    fitting = [grid for grid in grids.values() if grid.size == size]
    if not fitting:
        sizes = ", ".join(str(grid.size) for grid in grids.values())
        what = f"{size} cells, the component has {sizes}"
        raise GridError(what, where=where, hint="number its cells from 1")
    grid = fitting[0]
    with agree(part.comm, where):
        _refuse_elsewhere(told, grid, where)
    layout = _apart(grid, part.comm, told.cells)
    part.bridge = Cells(layout, order, _on(member.spec, grid))


def _variables(spec: Spec) -> tuple[Any, ...]:
    return (*spec.imports, *spec.exports, *spec.state, *spec.parameters)


def _refuse_elsewhere(told: Told, grid: Grid, where: str) -> None:
    x, y = grid.lon[told.cells], grid.lat[told.cells]
    along = (told.lon - x + 180) % 360 - 180
    far = np.hypot(along * np.cos(np.radians(y)), told.lat - y) > NEAR
    if far.any():
        k = int(np.argmax(far))
        what = f"cell {told.cells[k] + 1} is at {told.lon[k]:g} E {told.lat[k]:g} N, in the component at"
        raise GridError(f"{what} {x[k]:g} E {y[k]:g} N", where=where, hint="number cells as its grid does")
    if np.any(~told.mask & grid.mask[told.cells]):
        k = int(np.argmax(~told.mask & grid.mask[told.cells]))
        what = f"cell {told.cells[k] + 1} takes part in the component, and is masked by the host"
        raise GridError(what, where=where, hint="give the mask of the component's grid, or none")
