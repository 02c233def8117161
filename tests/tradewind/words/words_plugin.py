"""Two components for small runs: one that exports its step's number, one that shows what it is given."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import numpy as np
import torch

from tradewind.couplers.coupling.fields import Kind, Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.markers import hookimpl
from tradewind.plugins.options import Options

START = datetime(2000, 1, 1)
GRIDS = {
    "eight": Grid.latlon([-45.0, 45.0], [45.0, 135.0, 225.0, 315.0]),
    "box": Grid.latlon([10.5, 11.5, 12.5, 13.5], [30.5, 31.5, 32.5, 33.5]),
    "fine": Grid.latlon([-70.0, -40.0, -25.0, 5.0, 20.0, 60.0, 80.0], np.arange(15.0, 360.0, 30.0)),
    "inner": Grid.latlon([11.25, 12.75], [31.25, 32.75]),
    "wider": Grid.latlon([9.25, 10.75, 12.25, 13.75], [29.25, 30.75, 32.25, 33.75]),
}
KINDS = {"state": Kind.STATE_INTENSIVE, "flux": Kind.FLUX_INTENSIVE, "amount": Kind.FLUX_EXTENSIVE}


class FieldOptions(Options):
    """Where a field lives, and what it is."""

    grid: Literal["eight", "fine", "box", "inner", "wider"] = "eight"
    kind: Literal["state", "flux", "amount"] = "state"
    units: str = "K"
    levels: int = 0


class Numbers:
    """Exports x, everywhere 2, 1, 4, 3, 6, 5 and so on; and part, 1/4 and 3/4 in turn."""

    def __init__(self, options: FieldOptions) -> None:
        self.options, self.grid = options, GRIDS[options.grid]

    @property
    def extra(self):
        return (("level", self.options.levels),) if self.options.levels else ()

    def describe(self) -> Spec:
        x = Variable("x", self.options.units, self.grid, KINDS[self.options.kind], self.extra)
        return Spec(exports=(x, Variable("part", "1", self.grid)), linear=True)

    def initialize(self, spec, layouts, members):
        return State(extras={"members": members})

    def step(self, state, imports, parameters, interval):
        step = (interval.start - START) // (interval.stop - interval.start)
        number, quarter = (step, 0.75) if step % 2 else (step + 2, 0.25)
        inner = [length for _, length in self.extra]
        shape = state.extras["members"], *inner, self.grid.size
        whole = torch.full(shape, float(number), dtype=torch.float64)
        if inner:
            whole = whole + 100.0 * torch.arange(inner[0], dtype=torch.float64)[:, None]
        part = torch.full((shape[0], self.grid.size), quarter, dtype=torch.float64)
        return {"x": whole, "part": part}, state

    def finalize(self): ...


class Shows:
    """Exports what it is given, as given."""

    def __init__(self, options: FieldOptions) -> None:
        self.options, self.grid = options, GRIDS[options.grid]

    def describe(self) -> Spec:
        kind, units = KINDS[self.options.kind], self.options.units
        x, given = (Variable(name, units, self.grid, kind) for name in ("x", "given"))
        return Spec(imports=(x,), exports=(given,), linear=True)

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        return {"given": imports["x"]}, state

    def finalize(self): ...


@hookimpl
def tradewind_register_component(register):
    options = f"{__name__}:FieldOptions"
    register("numbers", factory=f"{__name__}:Numbers", options=options, summary="step numbers")
    register("shows", factory=f"{__name__}:Shows", options=options, summary="what it is given")
