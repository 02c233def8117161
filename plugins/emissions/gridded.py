"""An inventory on a grid of its own, constant in time: exports what its file, or a control, says."""

from __future__ import annotations

from functools import cached_property
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
    """Exports the flux that is its one parameter, so that a control can set it.

    Parameters
    ----------
    options
        File and variable.
    """

    def __init__(self, options: GriddedOptions) -> None:
        self.options = options

    @cached_property
    def _read(self) -> tuple[xr.DataArray, Grid]:
        """The variable, in memory, and its grid."""
        path, name = self.options.file, self.options.variable
        with open_data(path, missing="inventory file not found") as ds:
            field = find_variable(ds, name, str(path)).load()
            return field, grid_of(ds, name, str(path))

    @property
    def grid(self) -> Grid:
        """The inventory's grid."""
        return self._read[1]

    def describe(self) -> Spec:
        """Return the spec: one export, equal to one parameter."""
        field, grid = self._read
        units = str(field.attrs.get("units", ""))
        variable = Variable(self.options.variable, units, grid, Kind.FLUX_INTENSIVE)
        return Spec(exports=(variable,), parameters=(variable,), linear=True)

    def defaults(self, layouts: Layouts) -> Fields:
        """Return the parameters of the file, shape ``(1, cell)``.

        Raises
        ------
        DataError
            When the file holds NaN or infinite fluxes.
        """
        name = self.options.variable
        values = np.asarray(self._read[0].values, dtype=np.float64).ravel()
        missing = int((~np.isfinite(values)).sum())
        if missing:
            raise DataError(
                f"{name} holds {missing} missing or infinite values",
                where=str(self.options.file), hint="write 0 where nothing is emitted",
            )  # fmt: skip
        whole = torch.from_numpy(values.copy())
        return {name: layouts[name].scatter(whole)[None]}

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state."""
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export the parameter."""
        flux: Tensor = parameters[self.options.variable]
        return {self.options.variable: flux}, state

    def finalize(self) -> None:
        """Nothing is held."""
