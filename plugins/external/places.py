"""What an external model takes, gives and remembers, by the variable map of its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradewind.couplers.coupling.component import Key
from tradewind.couplers.coupling.fields import Spec, Variable
from tradewind.errors import SpecError
from tradewind.plugins.external.files import Place
from tradewind.plugins.external.options import ExternalOptions, GridFile, StateOptions, VariableOptions

if TYPE_CHECKING:
    from tradewind.couplers.grids import Grid

ROLES = {"import": "imports", "parameter": "parameters", "state": "state", "export": "exports"}
GIVEN = ("import", "parameter", "state")
FOUND = ("export", "state")


@dataclass(frozen=True)
class Places:
    """Where every variable stands, by role and name: what a step is given, and what it answers.

    A state variable stands in both, maybe in two files.
    """

    given: Mapping[Key, Place]
    found: Mapping[Key, Place]

    @classmethod
    def of(cls, options: ExternalOptions) -> Places:
        """Read the grids and place the variables.

        Raises
        ------
        TradewindError
            When a grid cannot be read, units cannot be converted, or two variables share a place.
        """
        grids = _Grids(options)
        declared: dict[Key, tuple[Variable, VariableOptions]] = {
            (role, name): (grids.variable(name, v), v)
            for role, section in ROLES.items()
            for name, v in getattr(options, section).items()
        }
        given = {key: Place.of(*both) for key, both in declared.items() if key[0] in GIVEN}
        found = {key: Place.of(*both, _written(both[1])) for key, both in declared.items() if key[0] in FOUND}
        for places in (given, found):
            _refuse_shared(places)
        return cls(given, found)

    def spec(self, options: ExternalOptions) -> Spec:
        """Return the spec of the model."""
        declared = {key: place.variable for key, place in (*self.given.items(), *self.found.items())}
        imports, exports, state, parameters = (
            tuple(variable for (r, _), variable in declared.items() if r == role)
            for role in ("import", "export", "state", "parameter")
        )
        return Spec(
            imports, exports, state, parameters, differentiable=options.adjoint is not None,
            linear=options.linear, opaque=tuple(f.file for f in options.restart),
        )  # fmt: skip


def _written(options: VariableOptions) -> str:
    return (options.output or "") if isinstance(options, StateOptions) else ""


def _refuse_shared(places: Mapping[Key, Place]) -> None:
    seen: dict[tuple[str, str], Key] = {}
    for key, place in places.items():
        other = seen.setdefault((place.file, place.name), key)
        if other != key:
            what = f"{' '.join(other)} and {' '.join(key)} are both there"
            raise SpecError(what, where=str(place), hint="give each a variable of its own")


class _Grids:
    """The grids that the options name, each read once."""

    def __init__(self, options: ExternalOptions) -> None:
        self.model, self._read = options.grid, dict[GridFile, "Grid"]()

    def variable(self, name: str, options: VariableOptions) -> Variable:
        """Return the variable that options declare."""
        return Variable(name, options.units, self._grid(options), options.kind, tuple(options.extra.items()))

    def _grid(self, options: VariableOptions) -> Grid | None:
        from tradewind.couplers.grids import Grid

        named = self.model if options.grid == "model" else options.grid
        if not isinstance(named, GridFile):
            return None
        if named not in self._read:
            self._read[named] = Grid.from_file(named.file, name=named.variable)
        return self._read[named]
