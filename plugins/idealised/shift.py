"""The simplest model that moves something: a field is shifted by whole rows and columns at every step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.errors import GridError, SpecError
from tradewind.plugins.idealised.options import ShiftOptions
from tradewind.plugins.idealised.starting import initial_values
from tradewind.plugins.prescribed.grids import make_grid

if TYPE_CHECKING:
    from tradewind.couplers.coupling.time.clock import Clock


class Shift:
    """Component ``shift``: ``x(row, column) <- x(row - rows, column - columns)``, closed in both directions.

    The model of PDAF's tutorial moves a field by one row at every step. ``x`` is a state variable and an
    export; the model is linear.

    Parameters
    ----------
    options
        Grid, how far, and what it begins with.
    """

    def __init__(self, options: ShiftOptions) -> None:
        self.options = options

    @cached_property
    def grid(self) -> Grid:
        """Where x lives.

        Raises
        ------
        GridError
            When it has no rows and columns.
        """
        grid = make_grid(self.options.grid)
        if len(grid.shape) != 2:
            raise GridError(f"has no rows and columns, its shape is {grid.shape}", where="shift")
        return grid

    @cached_property
    def start(self) -> Tensor:
        """What x begins with, shape ``(cell,)``."""
        return initial_values(self.options, self.grid.size)

    def inputs(self) -> Iterator[Path]:
        """Yield the files of grid and start."""
        return (path for path in (self.options.grid.file, self.options.file) if path is not None)

    def verify(self, clock: Clock) -> None:
        """Read what it begins with.

        Raises
        ------
        DataError
            When that does not fit.
        """
        _ = self.start

    def describe(self) -> Spec:
        """Return the spec."""
        x = Variable("x", self.options.units, self.grid)
        return Spec(exports=(x,), state=(x,), linear=True)

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return the same initial field for all members.

        Raises
        ------
        SpecError
            When the grid is cut: neighbours must be at hand.
        """
        if not layouts["x"].is_serial:
            raise SpecError("cannot be cut into parts", where="shift", hint="deal members to the ranks")
        return State({"x": self.start.expand(members, -1).clone()})

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Shift once, however long the interval."""
        x = state.fields["x"]
        shifts = (self.options.rows, self.options.columns)
        moved = torch.roll(x.reshape(*x.shape[:-1], *self.grid.shape), shifts, (-2, -1)).reshape(x.shape)
        return {"x": moved}, State({"x": moved})

    def finalize(self) -> None:
        """Nothing is held."""
