"""An inventory on a grid of its own, constant in time: exports what its file, or a control, says."""

from __future__ import annotations

from functools import cached_property, reduce
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Kind, Layouts, Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError
from tradewind.plugins.emissions.options import GriddedOptions
from tradewind.plugins.prescribed.files import find_variable, grid_of, open_data

if TYPE_CHECKING:
    import xarray as xr


class GriddedEmissions:
    """Exports the flux that is its one parameter, or the sum of its sectors', so that a control can set them.

    Parameters
    ----------
    options
        File and variables.
    """

    def __init__(self, options: GriddedOptions) -> None:
        self.options = options

    @cached_property
    def _read(self) -> tuple[dict[str, xr.DataArray], Grid]:
        """The variables by the name of their parameters, in memory, and their grid."""
        path, where = self.options.file, str(self.options.file)
        with open_data(path, missing="inventory file not found") as ds:
            fields = {key: find_variable(ds, v, where).load() for key, v in self.options.parts.items()}
            grids = [grid_of(ds, name, where) for name in self.options.parts.values()]
        for field, grid in zip(fields.values(), grids, strict=True):
            self._refuse_unlike(next(iter(fields.values())), field, grids[0] == grid)
        return fields, grids[0]

    def _refuse_unlike(self, first: xr.DataArray, other: xr.DataArray, alike: bool) -> None:
        """Refuse sectors that cannot be added up: of other units, or on another grid.

        Raises
        ------
        DataError
            Names both.
        """
        units = [str(field.attrs.get("units", "")) for field in (first, other)]
        if alike and units[0] == units[1]:
            return
        why = "are on different grids" if not alike else f"have units {units[0]!r} and {units[1]!r}"
        raise DataError(f"the sectors {first.name} and {other.name} {why}", where=str(self.options.file))

    @property
    def grid(self) -> Grid:
        """The inventory's grid."""
        return self._read[1]

    def describe(self) -> Spec:
        """Return the spec: one export, equal to one parameter or to the sum of several."""
        fields, grid = self._read
        units = str(next(iter(fields.values())).attrs.get("units", ""))
        whole, *parts = (
            Variable(name, units, grid, Kind.FLUX_INTENSIVE) for name in (self.options.variable, *fields)
        )
        return Spec(exports=(whole,), parameters=tuple(parts), linear=True)

    def defaults(self, layouts: Layouts) -> Fields:
        """Return the parameters of the file, shape ``(1, cell)``.

        Raises
        ------
        DataError
            When the file holds NaN or infinite fluxes.
        """
        return {name: layouts[name].scatter(self._values(name))[None] for name in self._read[0]}

    def _values(self, name: str) -> Tensor:
        field = self._read[0][name]
        values = np.asarray(field.values, dtype=np.float64).ravel()
        missing = int((~np.isfinite(values)).sum())
        if missing:
            raise DataError(
                f"{field.name} holds {missing} missing or infinite values",
                where=str(self.options.file), hint="write 0 where nothing is emitted",
            )  # fmt: skip
        return torch.from_numpy(values.copy())

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state."""
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export the parameter, or the sectors added in their order."""
        fluxes: list[Tensor] = [parameters[name] for name in self.options.parts]
        return {self.options.variable: reduce(torch.add, fluxes)}, state

    def finalize(self) -> None:
        """Nothing is held."""
