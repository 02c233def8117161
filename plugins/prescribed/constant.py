"""Fields that are one number each, and stay so."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.plugins.prescribed.grids import make_grid
from tradewind.plugins.prescribed.options import ConstantField, ConstantOptions, FieldOptions
from tradewind.plugins.prescribed.quantity import KINDS

LEVEL = "level"

Levels: TypeAlias = int | tuple[float, ...] | None


def declared(name: str, said: FieldOptions, grid: Grid | None, levels: Levels) -> Variable:
    """Return a variable that a config declares, with so many levels, or levels at these coordinates."""
    places = levels if isinstance(levels, tuple) else ()
    count = levels if isinstance(levels, int) else len(places)
    extra = ((LEVEL, count),) if count else ()
    return Variable(name, said.units, grid, KINDS[said.kind, said.extent], extra, levels=places)


def spread(value: float | tuple[float, ...], cells: int) -> Tensor:
    """Return one number, or one for each level, in all cells: shape ``(cell,)`` or ``(level, cell)``."""
    numbers = torch.tensor(value, dtype=torch.float64)
    return numbers[..., None].expand(*numbers.shape, cells).clone()


class Constant:
    """Exports its parameters, which are the numbers of the config until they are put or estimated.

    Parameters
    ----------
    options
        The grid, and the fields by name.
    """

    def __init__(self, options: ConstantOptions) -> None:
        self.options = options

    @cached_property
    def grid(self) -> Grid:
        """Where all fields live."""
        return make_grid(self.options.grid)

    def inputs(self) -> Iterator[Path]:
        """Yield the grid's file, where it is that of one."""
        return (path for path in (self.options.grid.file,) if path is not None)

    def describe(self) -> Spec:
        """Return the spec: exports, each equal to the parameter of its name.

        Raises
        ------
        DataError, GridError
            When the grid cannot be made.
        """
        fields = self.options.fields.items()
        variables = tuple(declared(name, f, self.grid, _levels(f)) for name, f in fields)
        return Spec(exports=variables, parameters=variables, linear=True)

    def defaults(self, layouts: Layouts) -> Fields:
        """Return the numbers of the config, shape ``(1, *extra, cell)``."""
        fields = self.options.fields.items()
        return {name: spread(f.value, layouts[name].n_local)[None] for name, f in fields}

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state."""
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export the parameters."""
        return {name: parameters[name] for name in self.options.fields}, state

    def finalize(self) -> None:
        """Nothing is held."""


def _levels(said: ConstantField) -> int | None:
    return len(said.value) if isinstance(said.value, tuple) else None
