"""A component with one field of any kind and number of dimensions, which keeps what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.markers import hookimpl
from tradewind.plugins.options import Options

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.coupling.fields import Fields, Layouts
    from tradewind.plugins.registry import Register

EXTENTS = (3, 2, 3, 2, 2, 2, 2)
"""As Fortran sees them; the first counts cells."""
DTYPES = {"real32": torch.float32, "real64": torch.float64, "int32": torch.int32, "int64": torch.int64}
"""By the names of the kinds in Fortran."""


class KindsOptions(Options):
    """Settings of the component.

    Attributes
    ----------
    kind
        Of its numbers.
    rank
        Dimensions of its fields in Fortran, 0 to 7.
    seen
        File that every input is appended to, as it lies in memory.
    """

    kind: Literal["real32", "real64", "int32", "int64"]
    rank: int
    seen: Path


class Kinds:
    """Takes a parameter ``x``, and exports ``y``: x in the opposite order, plus one.

    Exports are real and have cells: for other kinds, and for a scalar, y is zero.

    Parameters
    ----------
    options
        Kind, rank, and where it keeps what it saw.
    """

    def __init__(self, options: KindsOptions) -> None:
        self.options = options
        self.grid = Grid.points([10.0 * n for n in range(EXTENTS[0])], [0.0] * EXTENTS[0])
        self.answers = options.rank > 0 and options.kind.startswith("real")
        self.dtypes = {"x": DTYPES[options.kind]} | ({"y": DTYPES[options.kind]} if self.answers else {})

    def describe(self) -> Spec:
        """Return the spec; a field without dimensions belongs to no place."""
        extra = tuple((f"axis{n}", EXTENTS[n]) for n in range(self.options.rank - 1, 0, -1))
        x = Variable("x", "1", self.grid if self.options.rank else None, extra=extra)
        y = Variable("y", "1", self.grid, extra=extra if self.answers else ())
        return Spec(exports=(y,), parameters=(x,))

    def defaults(self, layouts: Layouts) -> Fields:
        """Return zeros."""
        (x,) = self.describe().parameters
        cells = [] if x.grid is None else [x.grid.size]
        return {"x": torch.zeros((1, *(n for _, n in x.extra), *cells), dtype=self.dtypes["x"])}

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return a state of nothing."""
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Keep x, and answer y."""
        x = parameters["x"]
        with self.options.seen.open("ab") as file:
            file.write(x.contiguous().numpy().tobytes())
        return {"y": self._answer(x)}, state

    def _answer(self, x: Tensor) -> Tensor:
        if self.answers:
            return x.flip(tuple(range(1, x.ndim))) + 1
        return torch.zeros((len(x), EXTENTS[0]), dtype=torch.float64)

    def finalize(self) -> None:
        """Nothing is held."""


class Plugin:
    """Brings the component ``kinds``."""

    @hookimpl
    def tradewind_register_component(self, register: Register) -> None:
        """Register it."""
        register(
            "kinds",
            factory=f"{__name__}:Kinds",
            options=f"{__name__}:KindsOptions",
            summary="one field of any kind and rank, for arrays of hosts",
        )


plugin = Plugin()
"""What a run config names, as ``tradewind.bench.fortran.kinds:plugin``."""
