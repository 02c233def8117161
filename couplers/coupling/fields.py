"""Variables, fields and state: what crosses the boundary of a component.

A field is a torch tensor of shape ``(member, *extra, cell)``, float64 unless its owner says otherwise,
where ``cell`` counts the cells that this rank owns by the variable's `Layout`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

    from tradewind.couplers.grids import Grid
    from tradewind.couplers.ranks.layout import Layout

Fields: TypeAlias = "Mapping[str, torch.Tensor]"
Layouts: TypeAlias = "Mapping[str, Layout]"


class Kind(StrEnum):
    """What a variable measures, which decides how it may be regridded and accumulated.

    States are what is there (temperature, mixing ratio, mass), fluxes what moves in a time. Intensive values
    hold at every place of a cell (K, kg kg-1, W m-2); extensive ones are amounts of the whole cell (kg,
    kg s-1), of which half of the cell has half.
    """

    STATE_INTENSIVE = "state, intensive"
    STATE_EXTENSIVE = "state, extensive"
    FLUX_INTENSIVE = "flux, intensive"
    FLUX_EXTENSIVE = "flux, extensive"

    @property
    def is_flux(self) -> bool:
        """Whether it moves in a time."""
        return self in {Kind.FLUX_INTENSIVE, Kind.FLUX_EXTENSIVE}

    @property
    def is_extensive(self) -> bool:
        """Whether it is an amount of the whole cell."""
        return self in {Kind.STATE_EXTENSIVE, Kind.FLUX_EXTENSIVE}


@dataclass(frozen=True)
class Variable:
    """One declared import, export, state variable or parameter.

    Attributes
    ----------
    name
        Name within the component; by preference the CF standard name or a short form of it.
    units
        UDUNITS/CF units string.
    grid
        Where it lives; None for a parameter that belongs to no place.
    kind
        State or flux, intensive or extensive.
    extra
        Names and lengths of dimensions between member and cell, such as ``(("level", 6),)``.
    cell_methods
        CF cell methods, such as ``"time: mean"``.
    halo
        Rings of neighbouring cells that the component needs filled.
    levels
        Coordinates of the levels (pressure, height, hybrid values), where the last of `extra` counts levels;
        empty where they are not told.
    interfaces
        Coordinates between them, one more than levels.
    labels
        What the last of `extra` counts, one by one (such as the sides of a box); empty where it has no names.
    """

    name: str
    units: str
    grid: Grid | None = None
    kind: Kind = Kind.STATE_INTENSIVE
    extra: tuple[tuple[str, int], ...] = ()
    cell_methods: str = ""
    halo: int = 0
    levels: tuple[float, ...] = ()
    interfaces: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spec:
    """What a component takes, gives, remembers and can be tuned by.

    Attributes
    ----------
    differentiable
        False when the component has no adjoint: methods that need gradients are then refused by
        ``tradewind check``.
    linear
        True when exports and new state are linear in state and imports, parameters held: then a window's
        answer is a superposition of sensitivities.
    step_seconds
        Length of the component's own step; a coupling interval is a whole number of these.
    opaque
        Names of what it remembers beyond the state variables (files of an external model): whoever answers
        in its place for some members cannot make these, so ``guarded`` is refused.
    """

    imports: tuple[Variable, ...] = ()
    exports: tuple[Variable, ...] = ()
    state: tuple[Variable, ...] = ()
    parameters: tuple[Variable, ...] = ()
    differentiable: bool = True
    linear: bool = False
    step_seconds: float | None = None
    opaque: tuple[str, ...] = ()

    def variable(self, role: str, name: str) -> Variable:
        """Return the variable `name` among ``imports``, ``exports``, ``state`` or ``parameters``.

        Raises
        ------
        KeyError
            When no such variable is declared.
        """
        found: Sequence[Variable] = getattr(self, role)
        return {v.name: v for v in found}[name]


class PerMember(tuple[Any, ...]):
    """What a state's extras hold for each member: selected and merged as fields are."""

    __slots__ = ()

    def select(self, members: torch.Tensor) -> PerMember:
        """Return what the given members have (indices of shape ``(k,)``)."""
        return PerMember(self[m] for m in members.tolist())

    def merge(self, other: PerMember, members: torch.Tensor) -> PerMember:
        """Return this with `members` taken, in order, from `other`."""
        taken = dict(zip(members.tolist(), other, strict=True))
        return PerMember(taken.get(m, own) for m, own in enumerate(self))


@dataclass(frozen=True, slots=True)
class State:
    """A component's memory, as a value that can be kept, rewound, perturbed and saved.

    Attributes
    ----------
    fields
        State variables of shape ``(member, *extra, cell)``.
    extras
        Anything else, by plain values (random streams, counters), or `PerMember` (files of external models).
    """

    fields: Fields = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)

    def select(self, members: torch.Tensor) -> State:
        """Return the state of the given members only (indices of shape ``(k,)``)."""
        extras = {k: v.select(members) if isinstance(v, PerMember) else v for k, v in self.extras.items()}
        return replace(self, fields={k: v[members] for k, v in self.fields.items()}, extras=extras)

    def merge(self, other: State, members: torch.Tensor) -> State:
        """Return this state with `members` taken, in order, from `other` (out of place)."""
        fields = {k: v.index_copy(0, members, other.fields[k]) for k, v in self.fields.items()}
        theirs = {k: v for k, v in other.extras.items() if isinstance(v, PerMember)}
        extras = {k: v.merge(theirs[k], members) if k in theirs else v for k, v in self.extras.items()}
        return replace(self, fields=fields, extras=extras)
