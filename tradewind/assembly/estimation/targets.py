"""What a filter analyses: state variables as they are carried, or elements of the control."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.config.sections.solving import EachWindow
from tradewind.couplers.grids import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.assembly.parts import Assembly
    from tradewind.couplers.assimilation import Control
    from tradewind.couplers.assimilation.control import Change
    from tradewind.couplers.coupling.fields import Variable
    from tradewind.couplers.ranks.layout import Layout

    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class StateTarget:
    """A state variable, analysed cell by cell where its change has no bounds.

    Attributes
    ----------
    layout
        Of a whole field, on one rank; None where the variable belongs to no place.
    """

    port: str
    variable: Variable
    layout: Layout | None
    change: Change

    @property
    def name(self) -> str:
        """Of the field that is analysed."""
        return self.port

    @property
    def component(self) -> str:
        """Whose state it is."""
        return self.port.partition(".")[0]


@dataclass(frozen=True)
class ElementTarget:
    """Elements of a control, analysed as cells of a grid of points, or as numbers of no place.

    Attributes
    ----------
    at
        Their positions among all elements that are analysed, ascending, shape ``(k,)``.
    lon, lat
        Degrees, shape ``(k,)``; NaN where these are of no place.
    """

    port: str
    variable: Variable
    at: NDArray[np.int64]
    names: tuple[str, ...]
    lon: Array
    lat: Array

    @property
    def name(self) -> str:
        """Of the field that is analysed."""
        return self.port if self.grid is not None else f"{self.port}, of no place"

    @cached_property
    def grid(self) -> Grid | None:
        """Where they lie; None of no place."""
        return None if np.isnan(self.lon).any() else Grid.points(self.lon, self.lat)


Target: TypeAlias = StateTarget | ElementTarget


def targets_of(assembly: Assembly, begin: EachWindow) -> tuple[Target, ...]:
    """Return what is analysed, in the order of the control.

    Parameters
    ----------
    begin
        Where states are carried from window to window they are analysed themselves; where every window
        begins anew, the control's elements are.
    """
    if assembly.control is None:
        return ()
    return tuple(_targets(assembly, assembly.control, begin))


def parts_of(control: Control) -> tuple[Any, ...]:
    """Return the controls of single fields that a control is made of, in the order of x."""
    parts: tuple[Any, ...] = getattr(control, "parts", (control,))
    return parts


def _targets(assembly: Assembly, control: Control, begin: EachWindow) -> Iterator[Target]:
    first = 0
    for part in parts_of(control):
        component, _, name = part.target.partition(".")
        member = assembly.members[component]
        states = {v.name: v for v in member.spec.state}
        if begin is EachWindow.CARRIED and name in states:
            change = getattr(part, "base", part).change
            yield StateTarget(part.target, states[name], member.layouts.get(name), change)
        else:
            variables = {
                v.name: v for v in (*member.spec.state, *member.spec.imports, *member.spec.parameters)
            }
            yield from _elements(part, variables[name], first)
            first += part.prior.shape[0]


def _elements(part: Any, variable: Variable, first: int) -> Iterator[ElementTarget]:
    lon, lat = (np.asarray(values, dtype=np.float64) for values in part.places)
    for which in (np.isfinite(lon), ~np.isfinite(lon)):
        at = np.flatnonzero(which)
        if len(at):
            names = tuple(part.names[int(i)] for i in at)
            yield ElementTarget(part.target, variable, at + first, names, lon[at], lat[at])
